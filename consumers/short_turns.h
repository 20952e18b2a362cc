// consumers/short_turns.h: AskForShortTurns(), for threads that somebody waits for.
#pragma once

namespace odometer {

// Asks the kernel to give the calling thread turns of a tenth of a millisecond, so that it comes to its turn at once
// beside threads that fold, whose turns are some thirty times as long. Linux before 6.12 takes the request and does
// nothing. Whether it was taken.
bool AskForShortTurns();

}  // namespace odometer
