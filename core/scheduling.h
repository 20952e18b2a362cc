// core/scheduling.h: what a thread asks of the kernel's scheduler, so that what somebody waits for goes before
// what nobody does.
#pragma once

#include <chrono>

namespace odometer {

// Turns of a tenth of a millisecond: for threads that have many little things to do, and are waited for in each.
constexpr std::chrono::microseconds kShortTurn{100};
// For threads that work a while for one who waits: a turn that ends before the work does is given to a thread that
// folds, and keeps it until the next tick, which may be 4 milliseconds.
constexpr std::chrono::microseconds kAnswerTurn{1000};

// Asks for turns as long as that for the calling thread: the shorter, the sooner does it get one when it wakes beside
// threads that fold, whose turns are some 3 milliseconds. Linux before 6.12 takes the request and does nothing. Whether
// it was taken.
bool AskForTurnsOf(std::chrono::microseconds turn);

// The calling thread, and those that it starts, get a third of what others do while these have work, and take a core
// from none of them by waking.
void GiveWay();

}  // namespace odometer
