#include "state/dump.h"

#include <algorithm>

#include "state/age.h"
#include "state/limit_rows.h"
#include "state/streams.h"

namespace odometer {

namespace {

class FieldDumper {
 public:
  explicit FieldDumper(FieldMap* fields) : fields_(fields) {}

  template <class T>
  void operator()(const char* name, const T& value) {
    Show(prefix_ + name, value);
  }

 private:
  void Set(const std::string& name, std::string value) { (*fields_)[name] = std::move(value); }
  void Show(const std::string& name, int64_t value) { Set(name, std::to_string(value)); }
  void Show(const std::string& name, uint64_t value) { Set(name, std::to_string(value)); }
  void Show(const std::string& name, uint32_t value) { Set(name, std::to_string(value)); }
  void Show(const std::string& name, uint8_t value) { Set(name, std::to_string(value)); }
  void Show(const std::string& name, EventType value) { Set(name, std::string(TypeName(value))); }
  void Show(const std::string& name, bool value) { Set(name, value ? "true" : "false"); }
  void Show(const std::string& name, const std::string& value) { Set(name, value); }
  void Show(const std::string& name, const Uuid& value) { Set(name, value.ToString()); }
  void Show(const std::string& name, const Ring& ring) {
    std::string text;
    for (int64_t back = Ring::kHours - 1; back >= 0; --back) {
      int64_t hour = ring.newest_hour - back;
      if (ring.At(hour) == 0) continue;
      text += (text.empty() ? "" : ",") + std::to_string(hour) + "=" + std::to_string(ring.At(hour));
    }
    Set(name, text);
  }
  void Show(const std::string& name, const Steps& steps) {
    std::string text(WindowName(steps.window));
    char before = ' ';
    for (size_t back = steps.counts.size(); back-- > 0;) {
      if (steps.counts[back] == 0) continue;
      text += before + std::to_string(steps.newest - static_cast<int64_t>(back)) + "=" +
              std::to_string(steps.counts[back]);
      before = ',';
    }
    Set(name, text);
  }
  void Show(const std::string& name, const std::array<uint32_t, 24>& hours) {
    std::string text;
    for (size_t hour = 0; hour < hours.size(); ++hour) {
      if (hours[hour] != 0)
        text += (text.empty() ? "" : ",") + std::to_string(hour) + "=" + std::to_string(hours[hour]);
    }
    Set(name, text);
  }
  template <size_t kNames>
  void Show(const std::string& name, const NameTable<kNames>& table) {
    for (const NameCount& count : table.names) ShowCount(name + "." + std::string(count.name.view()), count);
    if (table.other.turns != 0 || table.other.tokens != 0) ShowCount(name + ".(other)", table.other);
  }
  void ShowCount(const std::string& name, const NameFigures& count) {
    Show(name + ".turns", count.turns);
    Show(name + ".tokens", count.tokens);
  }
  void Show(const std::string&, const std::array<OperationFigures, kOperationKinds>& operations) {
    for (int kind = 0; kind < kOperationKinds; ++kind) {
      std::string prefix = std::string(OperationName(static_cast<OperationKind>(kind))) + ".";
      const OperationFigures& figures = operations[static_cast<size_t>(kind)];
      for (int status = 0; status < kOperationStatuses; ++status) {
        Show(prefix + StatusName(static_cast<OperationStatus>(status + 1)),
             figures.by_status[static_cast<size_t>(status)]);
      }
      Show(prefix + "requested", figures.requested);
      Show(prefix + "succeeded", figures.succeeded);
      Show(prefix + "payload_bytes", figures.payload_bytes);
      Show(prefix + "duration_us", figures.duration_us);
      Show(prefix + "timed", figures.timed);
    }
  }
  void Show(const std::string&, const std::vector<HourCell>& cells) {
    for (const HourCell& cell : cells) {
      FieldDumper inner(fields_);
      inner.prefix_ = std::string(OperationName(cell.operation)) + "." + StatusName(cell.status) + ".";
      HourCell::Fields(cell, inner);
    }
  }
  void Show(const std::string& name, const std::vector<std::string>& texts) {
    std::string joined;
    for (size_t i = 0; i < texts.size(); ++i) joined += (i == 0 ? "" : "\x1f") + texts[i];
    Set(name, joined);
  }
  template <class T, size_t n>
  void Show(const std::string& name, const std::array<T, n>& values) {
    for (size_t i = 0; i < n; ++i) Show(name + "." + std::to_string(i), values[i]);
  }
  template <class T>
  void Show(const std::string& name, const std::vector<T>& values) {
    Show(name + ".size", values.size());
    for (size_t i = 0; i < values.size(); ++i) Show(name + "." + std::to_string(i), values[i]);
  }
  template <class T>
  requires requires(const T& row, FieldDumper& dumper) { T::Fields(row, dumper); }
  void Show(const std::string& name, const T& value) {
    FieldDumper inner(fields_);
    inner.prefix_ = name + ".";
    T::Fields(value, inner);
  }

  FieldMap* fields_;
  std::string prefix_;
};

template <class Row>
std::optional<FieldMap> Dump(std::string_view bytes, int64_t moment_us) {
  Row row;
  if (!DecodeRow(bytes, &row)) return std::nullopt;
  AgeRow(&row, moment_us);
  FieldMap fields;
  FieldDumper dumper(&fields);
  Row::Fields(row, dumper);
  return fields;
}

}  // namespace

std::optional<FieldMap> FieldsOf(RowKind kind, std::string_view bytes, int64_t moment_us) {
  switch (kind) {
    case RowKind::kAccount:
      return Dump<AccountRow>(bytes, moment_us);
    case RowKind::kCollection:
      return Dump<CollectionRow>(bytes, moment_us);
    case RowKind::kDay:
      return Dump<DayRow>(bytes, moment_us);
    case RowKind::kProjectHour:
      return Dump<ProjectHourRow>(bytes, moment_us);
    case RowKind::kProject:
    case RowKind::kProjectUser:
      return Dump<ProjectRow>(bytes, moment_us);
    case RowKind::kSubscription:
      return Dump<SubscriptionRow>(bytes, moment_us);
    case RowKind::kPeriod:
      return Dump<PeriodRow>(bytes, moment_us);
    case RowKind::kSession:
      return Dump<SessionRow>(bytes, moment_us);
    case RowKind::kTenant:
      return Dump<TenantRow>(bytes, moment_us);
    case RowKind::kUserGauges:
      return Dump<UserGaugesRow>(bytes, moment_us);
    case RowKind::kServiceDay:
      return Dump<ServiceDayRow>(bytes, moment_us);
    case RowKind::kProfile:
      return Dump<ProfileRow>(bytes, moment_us);
    case RowKind::kAssignment:
      return Dump<AssignmentRow>(bytes, moment_us);
    case RowKind::kLimitUse:
      return Dump<LimitUseRow>(bytes, moment_us);
    case RowKind::kPolicy:
      return Dump<PolicyRow>(bytes, moment_us);
    case RowKind::kAsk:
      return Dump<AskRow>(bytes, moment_us);
    case RowKind::kAlert:
    case RowKind::kOutbox:
      return Dump<CrossingRow>(bytes, moment_us);
    case RowKind::kAlertOrder:
    case RowKind::kAskGone:
      return FieldMap();
    case RowKind::kProjectMinute:
      return Dump<ProjectMinuteRow>(bytes, moment_us);
    case RowKind::kHoldDue:
      return Dump<DueRow>(bytes, moment_us);
    case RowKind::kOverride:
    case RowKind::kQuota:
      return Dump<LimitsRow>(bytes, moment_us);
    case RowKind::kChain:
      return Dump<ChainRow>(bytes, moment_us);
    case RowKind::kIdIndex:
      return Dump<IdRow>(bytes, moment_us);
    case RowKind::kMeta:
      return Dump<MetaRow>(bytes, moment_us);
    case RowKind::kQuarantine:
      return Dump<QuarantineRow>(bytes, moment_us);
    case RowKind::kStream:
      return Dump<StreamRow>(bytes, moment_us);
    case RowKind::kProjectPostings:
    case RowKind::kSessionPostings:
    case RowKind::kUserPostings:
      return Dump<PostingChunk>(bytes, moment_us);
    case RowKind::kOperational:
      return std::nullopt;
  }
  return std::nullopt;
}

Result<int64_t> MomentOf(const View& view, std::string_view tenant) {
  Result<std::optional<TenantRow>> row =
      ReadRow<TenantRow>(view, KeyBuilder().Begin(RowKind::kTenant).Text(tenant).view());
  if (!row.ok()) return row.status();
  return row->has_value() ? std::max<int64_t>((*row)->max_fold_us, 0) : int64_t{0};
}

Result<std::map<std::string, FieldMap>> DumpLogical(const View& view) {
  std::map<std::string, FieldMap> rows;
  std::map<std::string, int64_t, std::less<>> moments;
  Status failure;
  auto visit = [&](std::string_view key, std::string_view value) {
    std::optional<RowName> name = NameOf(key);
    if (!name || ClassOf(name->kind) != RowClass::kLogical) return true;
    auto moment = moments.find(name->tenant());
    if (moment == moments.end()) {
      Result<int64_t> read = MomentOf(view, name->tenant());
      if (!read.ok()) {
        failure = read.status();
        return false;
      }
      moment = moments.emplace(name->tenant(), *read).first;
    }
    std::optional<FieldMap> fields = FieldsOf(name->kind, value, moment->second);
    if (!fields) {
      failure = Status(Code::kCorrupt, "row " + name->text + " cannot be read");
      return false;
    }
    rows[name->text] = std::move(*fields);
    return true;
  };
  ODOMETER_RETURN_IF_ERROR(view.Scan({}, {}, visit));
  if (!failure.ok()) return failure;
  return rows;
}

}  // namespace odometer
