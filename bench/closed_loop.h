// bench/closed_loop.h: requests over kept connections, each connection sending its next one when it has its answer, all
// by one thread: what is measured is the server, with the same small client before each.
//
//   LoopResult result = RunClosedLoop("127.0.0.1:8780", 50, 1.0, requests, HttpAnswerEnd);
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace odometer {

// How long the first answer in the bytes is, 0 when it is not whole; ends the program when it is not the one expected.
using AnswerEnd = size_t (*)(std::string_view bytes);
size_t HttpOkEnd(std::string_view bytes);       // 200
size_t HttpAllowedEnd(std::string_view bytes);  // 200 with "allowed":true
size_t RespOneEnd(std::string_view bytes);      // the integer 1
size_t RespPongEnd(std::string_view bytes);     // PONG

struct LoopResult {
  double p50_ms = 0, p99_ms = 0, per_second = 0;
};
// Requests are taken in turn, from `first` on. Ends the program when a connection breaks.
LoopResult RunClosedLoop(const std::string& address, int connections, double seconds,
                         const std::vector<std::string>& requests, AnswerEnd answer_end, size_t first);

// One request and its answer, for what comes before.
std::string AskOnce(const std::string& address, const std::string& request);
// Whether somebody takes connections there.
bool IsTaken(const std::string& address);

}  // namespace odometer
