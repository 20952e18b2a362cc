// state/change.h: Change, the additions of one record to its rows: all of them, or none.
//
// Rows are far from the end of the int64 range nearly always; then additions are plain. When a row is high or an amount
// of the event is large, the change is careful: each row is saved before its first change, checked at the end, and put
// back when a figure would have left its range.
//
// Why plain additions cannot overflow: a row that is not high had every figure within 2^58 when it was last reviewed,
// which is at every 256th record at the latest, or at the 64 that a tally (state/turn_tally.h) brings after it. A plain
// record adds at most 2^50 to a bucket and 5 × 2^50 to a sum. So no figure passes 2^61, and no sum of five buckets
// 2^62.
//
//   change.Begin(careful);
//   change.Touch(accounts, account);
//   change.Add(account, account->row.events, 1);
//   if (!change.Finish()) return Quarantine(Reason::kOverflow);     // everything is as it was
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "state/table.h"

namespace odometer {

class Change {
 public:
  void Begin(bool careful) {
    careful_ = careful;
    overflow_ = false;
  }

  // Before the first change of a row by this record.
  template <class Row>
  void Touch(RowTable<Row>& table, typename RowTable<Row>::Node* node) {
    table.MarkDirty(node);
    if (node->made) made_.push_back(&node->made);
    if (!careful_) {
      table.CountTouches(node, 1);
      return;
    }
    if (node->saved) return;
    node->saved = true;
    undo_.push_back([&table, node, before = node->row, made = node->made] {
      node->row = before;
      if (made) table.Erase(node);
    });
    after_.push_back([this, node] {
      node->saved = false;
      if (!TotalsFit(node->row)) overflow_ = true;
    });
  }

  template <class Node>
  void Add(Node* node, int64_t& figure, int64_t delta) {
    if (!careful_) {
      figure += delta;
      return;
    }
    overflow_ |= __builtin_add_overflow(figure, delta, &figure);
    node->high |= IsHigh(figure);
  }
  // A sum of up to five of a record's amounts.
  template <class Node>
  void AddSum(Node* node, int64_t& figure, __int128 delta) {
    if (!careful_) {
      figure += static_cast<int64_t>(delta);
      return;
    }
    AddWide(node, figure, delta);
  }
  // For what may be more than a plain record's amount: always looked at.
  template <class Node>
  void AddWide(Node* node, int64_t& figure, __int128 delta) {
    Set(node, figure, static_cast<__int128>(figure) + delta);
  }
  template <class Node>
  void Set(Node* node, int64_t& figure, __int128 value) {
    overflow_ |= value > INT64_MAX || value < INT64_MIN;
    figure = static_cast<int64_t>(value);
    node->high |= IsHigh(figure);
  }
  template <class Node>
  void AddUsage(Node* node, TurnUsage& figures, const TurnUsage& more) {
    if (!careful_) {
      figures.Add(more);
      return;
    }
    TurnUsage::ForEachPair(&figures, more, [&](int64_t& figure, int64_t delta) { Add(node, figure, delta); });
  }
  template <class Node>
  void AddTokens(Node* node, TokenFigures& figures, const Tokens& tokens) {
    Add(node, figures.input_uncached_tokens, tokens.input_uncached);
    Add(node, figures.cache_read_tokens, tokens.cache_read);
    Add(node, figures.cache_write_5m_tokens, tokens.cache_write_5m);
    Add(node, figures.cache_write_1h_tokens, tokens.cache_write_1h);
    Add(node, figures.output_tokens, tokens.output);
    Add(node, figures.reasoning_tokens, tokens.reasoning);
  }
  template <class Node>
  void AddCount(Node* node, uint32_t& bucket) {
    if (!careful_) {
      ++bucket;
      return;
    }
    overflow_ |= __builtin_add_overflow(bucket, 1u, &bucket);
    node->high |= bucket > (1u << 30);
  }
  template <class Node>
  void AddToRing(Node* node, Ring& ring, int64_t hour) {
    if (!careful_) {
      ring.Add(hour, 1);
      return;
    }
    overflow_ |= !ring.CanAdd(hour, 1);
    ring.Add(hour, 1);
    node->high |= ring.At(hour) > (1u << 30);
  }
  void Fail() { overflow_ = true; }

  // False: the record would overflow, and every row is as it was before.
  bool Finish() {
    for (bool* made : made_) *made = false;
    made_.clear();
    if (!careful_ && !overflow_) return true;
    for (auto& check : after_) check();
    after_.clear();
    if (PlantedBug("overflow_wraps")) overflow_ = false;
    if (overflow_) {
      for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
    }
    undo_.clear();
    return !overflow_;
  }

 private:
  static bool Fits(__int128 value) { return value <= INT64_MAX && value >= INT64_MIN; }
  static bool TokensFit(const TokenFigures& t) {
    return Fits(static_cast<__int128>(t.input_uncached_tokens) + t.cache_read_tokens + t.cache_write_5m_tokens +
                t.cache_write_1h_tokens + t.output_tokens);
  }
  static bool UsageFits(const Usage& u) {
    return TokensFit(u.tokens) && Fits(static_cast<__int128>(u.cost_ai_tokens_nano_usd) + u.cost_db_ops_nano_usd +
                                       u.cost_api_calls_nano_usd + u.cost_compute_time_nano_usd);
  }
  // The sums that readers show must be numbers too.
  template <class Row>
  static bool TotalsFit(const Row& row) {
    if constexpr (requires { row.usage; })
      return UsageFits(row.usage);
    else if constexpr (requires { row.tokens.output_tokens; })
      return TokensFit(row.tokens);
    else
      return true;
  }

  bool careful_ = false;
  bool overflow_ = false;
  std::vector<std::function<void()>> undo_;
  std::vector<std::function<void()>> after_;
  std::vector<bool*> made_;
};

}  // namespace odometer
