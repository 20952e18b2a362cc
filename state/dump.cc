#include "state/dump.h"

#include "core/period.h"
#include "state/limit_rows.h"
#include "state/streams.h"

namespace odometer {

namespace {

class FieldDumper {
 public:
  FieldDumper(FieldMap* fields, int64_t ring_hour) : fields_(fields), ring_hour_(ring_hour) {}

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
    Ring aged = ring.AgedTo(ring_hour_);
    std::string text;
    for (int64_t back = Ring::kHours - 1; back >= 0; --back) {
      int64_t hour = aged.newest_hour - back;
      if (aged.At(hour) == 0) continue;
      text += (text.empty() ? "" : ",") + std::to_string(hour) + "=" + std::to_string(aged.At(hour));
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
      FieldDumper inner(fields_, ring_hour_);
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
    FieldDumper inner(fields_, ring_hour_);
    inner.prefix_ = name + ".";
    T::Fields(value, inner);
  }

  FieldMap* fields_;
  int64_t ring_hour_;
  std::string prefix_;
};

template <class Row>
std::optional<FieldMap> Dump(std::string_view bytes, int64_t ring_hour) {
  Row row;
  if (!DecodeRow(bytes, &row)) return std::nullopt;
  FieldMap fields;
  FieldDumper dumper(&fields, ring_hour);
  Row::Fields(row, dumper);
  return fields;
}

}  // namespace

std::optional<FieldMap> FieldsOf(RowKind kind, std::string_view bytes, int64_t ring_hour) {
  switch (kind) {
    case RowKind::kAccount:
      return Dump<AccountRow>(bytes, ring_hour);
    case RowKind::kCollection:
      return Dump<CollectionRow>(bytes, ring_hour);
    case RowKind::kDay:
      return Dump<DayRow>(bytes, ring_hour);
    case RowKind::kProjectHour:
      return Dump<ProjectHourRow>(bytes, ring_hour);
    case RowKind::kProject:
    case RowKind::kProjectUser:
      return Dump<ProjectRow>(bytes, ring_hour);
    case RowKind::kSubscription:
      return Dump<SubscriptionRow>(bytes, ring_hour);
    case RowKind::kPeriod:
      return Dump<PeriodRow>(bytes, ring_hour);
    case RowKind::kSession:
      return Dump<SessionRow>(bytes, ring_hour);
    case RowKind::kTenant:
      return Dump<TenantRow>(bytes, ring_hour);
    case RowKind::kServiceDay:
      return Dump<ServiceDayRow>(bytes, ring_hour);
    case RowKind::kProfile:
      return Dump<ProfileRow>(bytes, ring_hour);
    case RowKind::kAssignment:
      return Dump<AssignmentRow>(bytes, ring_hour);
    case RowKind::kLimitUse:
      return Dump<LimitUseRow>(bytes, ring_hour);
    case RowKind::kPolicy:
      return Dump<PolicyRow>(bytes, ring_hour);
    case RowKind::kAsk:
      return Dump<AskRow>(bytes, ring_hour);
    case RowKind::kHoldDue:
      return Dump<DueRow>(bytes, ring_hour);
    case RowKind::kOverride:
    case RowKind::kQuota:
      return Dump<LimitsRow>(bytes, ring_hour);
    case RowKind::kChain:
      return Dump<ChainRow>(bytes, ring_hour);
    case RowKind::kIdIndex:
      return Dump<IdRow>(bytes, ring_hour);
    case RowKind::kMeta:
      return Dump<MetaRow>(bytes, ring_hour);
    case RowKind::kQuarantine:
      return Dump<QuarantineRow>(bytes, ring_hour);
    case RowKind::kStream:
      return Dump<StreamRow>(bytes, ring_hour);
    case RowKind::kProjectPostings:
    case RowKind::kSessionPostings:
    case RowKind::kUserPostings:
      return Dump<PostingChunk>(bytes, ring_hour);
    case RowKind::kOperational:
      return std::nullopt;
  }
  return std::nullopt;
}

Result<int64_t> RingHourOf(const View& view, std::string_view tenant) {
  Result<std::optional<TenantRow>> row =
      ReadRow<TenantRow>(view, KeyBuilder().Begin(RowKind::kTenant).Text(tenant).view());
  if (!row.ok()) return row.status();
  return row->has_value() && (*row)->max_fold_us >= 0 ? HourOf(FoldTime{(*row)->max_fold_us}) : int64_t{0};
}

Result<std::map<std::string, FieldMap>> DumpLogical(const View& view) {
  std::map<std::string, FieldMap> rows;
  std::map<std::string, int64_t, std::less<>> hours;
  Status failure;
  auto visit = [&](std::string_view key, std::string_view value) {
    std::optional<RowName> name = NameOf(key);
    if (!name || ClassOf(name->kind) != RowClass::kLogical) return true;
    auto hour = hours.find(name->tenant());
    if (hour == hours.end()) {
      Result<int64_t> read = RingHourOf(view, name->tenant());
      if (!read.ok()) {
        failure = read.status();
        return false;
      }
      hour = hours.emplace(name->tenant(), *read).first;
    }
    std::optional<FieldMap> fields = FieldsOf(name->kind, value, hour->second);
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
