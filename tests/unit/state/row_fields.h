// tests/unit/state/row_fields.h: the values of a row one by one, whatever its kind: to change one, or to fill them all.
//
//   uint64_t values = CountValues(RowKind::kAccount, bytes);
//   std::string other = ChangeValue(RowKind::kAccount, bytes, 7);   // the row with its seventh value changed
//   std::string random = RandomRow(RowKind::kAccount, random);
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "core/check.h"
#include "state/codec.h"
#include "state/keys.h"
#include "state/limit_rows.h"
#include "state/meta.h"
#include "state/postings.h"
#include "state/streams.h"
#include "tests/support/random.h"

namespace odometer {

// Of a kind whose keys say all.
struct NoRow {
  template <class Self, class V>
  static void Fields(Self&, V&&) {}
};

// Calls f with an empty row of the kind's type.
template <class F>
auto WithRowOf(RowKind kind, F&& f) {
  switch (kind) {
    case RowKind::kAccount:
      return f(AccountRow());
    case RowKind::kCollection:
      return f(CollectionRow());
    case RowKind::kDay:
      return f(DayRow());
    case RowKind::kProjectHour:
      return f(ProjectHourRow());
    case RowKind::kProject:
    case RowKind::kProjectUser:
      return f(ProjectRow());
    case RowKind::kSubscription:
      return f(SubscriptionRow());
    case RowKind::kPeriod:
      return f(PeriodRow());
    case RowKind::kSession:
      return f(SessionRow());
    case RowKind::kTenant:
      return f(TenantRow());
    case RowKind::kUserGauges:
      return f(UserGaugesRow());
    case RowKind::kServiceDay:
      return f(ServiceDayRow());
    case RowKind::kProfile:
      return f(ProfileRow());
    case RowKind::kAssignment:
      return f(AssignmentRow());
    case RowKind::kLimitUse:
      return f(LimitUseRow());
    case RowKind::kOverride:
    case RowKind::kQuota:
      return f(LimitsRow());
    case RowKind::kPolicy:
      return f(PolicyRow());
    case RowKind::kAsk:
      return f(AskRow());
    case RowKind::kAlert:
    case RowKind::kOutbox:
      return f(CrossingRow());
    case RowKind::kAlertOrder:
    case RowKind::kAskGone:
      return f(NoRow());
    case RowKind::kProjectMinute:
      return f(ProjectMinuteRow());
    case RowKind::kHoldDue:
      return f(DueRow());
    case RowKind::kChain:
      return f(ChainRow());
    case RowKind::kIdIndex:
      return f(IdRow());
    case RowKind::kMeta:
      return f(MetaRow());
    case RowKind::kQuarantine:
      return f(QuarantineRow());
    case RowKind::kStream:
      return f(StreamRow());
    default:
      return f(PostingChunk());
  }
}

// Walks the values of a row; changes the one with this number, counting from 0.
class ValueChanger {
 public:
  explicit ValueChanger(uint64_t target) : target_(target) {}
  uint64_t values() const { return next_; }

  template <class T>
  void operator()(const char*, T& value) {
    Visit(value);
  }

 private:
  bool IsIt() { return next_++ == target_; }
  void Visit(int64_t& value) {
    if (IsIt()) value = static_cast<int64_t>(static_cast<uint64_t>(value) + 1);
  }
  void Visit(uint64_t& value) {
    if (IsIt()) value += 1;
  }
  void Visit(uint32_t& value) {
    if (IsIt()) value += 1;
  }
  void Visit(uint8_t& value) {
    if (IsIt()) value = static_cast<uint8_t>(value + 1);
  }
  void Visit(bool& value) {
    if (IsIt()) value = !value;
  }
  void Visit(std::string& value) {
    if (IsIt()) value += "'";
  }
  void Visit(Uuid& value) {
    if (IsIt()) value.bytes[15] = static_cast<uint8_t>(value.bytes[15] ^ 1);
  }
  void Visit(EventType& value) {
    if (IsIt()) value = value == EventType::kTurnRecorded ? EventType::kTurnAmended : EventType::kTurnRecorded;
  }
  void Visit(Ring& ring) {
    if (IsIt()) ring.newest += 1;
    if (IsIt()) ring.MoveTo(ring.newest_hour + 1);  // what it counts from then on, though it counts the same now
  }
  void Visit(Steps& steps) {
    if (IsIt()) steps.window = steps.window == Window::kRollingMinute ? Window::kRollingHour : Window::kRollingMinute;
    if (IsIt()) steps.Add(steps.newest * Steps::StepUs(steps.window), steps.At(steps.newest) == INT64_MAX ? -1 : 1);
    if (IsIt()) steps.MoveTo((steps.newest + 1) * Steps::StepUs(steps.window));
  }
  template <size_t kNames>
  void Visit(NameTable<kNames>& table) {
    for (NameCount& count : table.names) {
      std::string name(count.name.view());
      Visit(name);
      count.name = NameText(name);
      Visit(count.turns);
      Visit(count.tokens);
    }
    Visit(table.other.turns);
    Visit(table.other.tokens);
  }
  void Visit(OperationFigures& figures) {
    Visit(figures.by_status);
    Visit(figures.requested);
    Visit(figures.succeeded);
    Visit(figures.payload_bytes);
    Visit(figures.duration_us);
    Visit(figures.timed);
  }
  template <class T>
  requires requires(T& row, ValueChanger& changer) { T::Fields(row, changer); }
  void Visit(T& value) { T::Fields(value, *this); }
  template <class T, size_t n>
  void Visit(std::array<T, n>& values) {
    for (T& value : values) Visit(value);
  }
  template <class T>
  void Visit(std::vector<T>& values) {
    for (T& value : values) Visit(value);
  }

  uint64_t target_;
  uint64_t next_ = 0;
};

// Fills every value of a row; numbers are small, middling or at their ends.
class ValueFiller {
 public:
  explicit ValueFiller(Random& random) : random_(random) {}

  template <class T>
  void operator()(const char*, T& value) {
    Fill(value);
  }

 private:
  uint64_t Number() {
    constexpr uint64_t kEnds[] = {0, 1, 127, 128, INT64_MAX, uint64_t{1} << 63, UINT64_MAX};
    switch (random_.Below(3)) {
      case 0:
        return kEnds[random_.Below(std::size(kEnds))];
      case 1:
        return random_.Below(1000);
      default:
        return random_.Next() >> random_.Below(64);
    }
  }
  std::string Text() {
    std::string text;
    uint64_t size = random_.Below(random_.Percent(10) ? 300 : 12);
    while (text.size() < size) text += static_cast<char>(random_.Next());
    return text;
  }

  void Fill(int64_t& value) { value = static_cast<int64_t>(Number()); }
  void Fill(uint64_t& value) { value = Number(); }
  void Fill(uint32_t& value) { value = static_cast<uint32_t>(Number()); }
  void Fill(uint8_t& value) { value = static_cast<uint8_t>(Number()); }
  void Fill(bool& value) { value = random_.Percent(50); }
  void Fill(std::string& value) { value = Text(); }
  void Fill(Uuid& value) {
    for (uint8_t& byte : value.bytes) byte = static_cast<uint8_t>(random_.Next());
  }
  void Fill(EventType& value) { value = random_.Pick(AllEventTypes()); }
  void Fill(Ring& ring) {
    ring.newest_hour = static_cast<int64_t>(random_.Below(1'000'000));
    for (int64_t back = 0; back < Ring::kHours && back <= ring.newest_hour; ++back) {
      Fill(ring.Bucket(ring.newest_hour - back));
    }
  }
  void Fill(Steps& steps) {
    steps.window = static_cast<Window>(1 + random_.Below(3));
    steps.newest = static_cast<int64_t>(random_.Below(1'000'000));
    steps.counts.resize(random_.Below(Steps::CountOf(steps.window) + 1));
    for (int64_t& count : steps.counts) Fill(count);
    if (!steps.counts.empty()) steps.counts.back() = 1;
  }
  template <size_t kNames>
  void Fill(NameTable<kNames>& table) {
    std::set<std::string> names;
    for (uint64_t n = random_.Below(kNames + 1); n > 0; --n) names.insert(Text());
    for (const std::string& name : names) {
      NameFigures& count = table.Slot(name);
      Fill(count.turns);
      Fill(count.tokens);
    }
    Fill(table.other.turns);
    Fill(table.other.tokens);
  }
  void Fill(OperationFigures& figures) {
    Fill(figures.by_status);
    Fill(figures.requested);
    Fill(figures.succeeded);
    Fill(figures.payload_bytes);
    Fill(figures.duration_us);
    Fill(figures.timed);
  }
  void Fill(HourCell& cell) {
    cell.operation = static_cast<OperationKind>(random_.Below(kOperationKinds));
    cell.status = static_cast<OperationStatus>(1 + random_.Below(kOperationStatuses));
    HourCell::Fields(cell, *this);
  }
  template <class T>
  requires requires(T& row, ValueFiller& filler) { T::Fields(row, filler); }
  void Fill(T& value) { T::Fields(value, *this); }
  template <class T, size_t n>
  void Fill(std::array<T, n>& values) {
    for (T& value : values) Fill(value);
  }
  template <class T>
  void Fill(std::vector<T>& values) {
    for (uint64_t n = random_.Below(5); n > 0; --n) Fill(values.emplace_back());
  }

  Random& random_;
};

inline uint64_t CountValues(RowKind kind, std::string_view bytes) {
  return WithRowOf(kind, [&](auto row) {
    ODOMETER_CHECK(DecodeRow(bytes, &row));
    ValueChanger none(UINT64_MAX);
    decltype(row)::Fields(row, none);
    return none.values();
  });
}

inline std::string ChangeValue(RowKind kind, std::string_view bytes, uint64_t number) {
  return WithRowOf(kind, [&](auto row) {
    ODOMETER_CHECK(DecodeRow(bytes, &row));
    ValueChanger changer(number);
    decltype(row)::Fields(row, changer);
    return EncodeRow(row);
  });
}

inline std::string RandomRow(RowKind kind, Random& random) {
  return WithRowOf(kind, [&](auto row) {
    ValueFiller filler(random);
    decltype(row)::Fields(row, filler);
    return EncodeRow(row);
  });
}

}  // namespace odometer
