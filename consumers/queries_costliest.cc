#include "consumers/queries_costliest.h"

#include <algorithm>
#include <atomic>

namespace odometer {
namespace {

// From one user in so many on, going through all sessions and turns is cheaper than to look for theirs.
constexpr size_t kScanShare = 16;

using Keys = std::vector<std::string>;

bool IsTurn(const Posting& posting) {
  return posting.type == EventType::kTurnRecorded || posting.type == EventType::kTurnAmended;
}

std::string_view PartOf(std::string_view key, int texts) {
  KeyReader reader(key);
  std::string_view text;
  for (int i = 0; i < texts; ++i) {
    if (!reader.Text(&text)) return {};
  }
  return text;
}

void SetTurns(const std::vector<TurnEntry>& entries, UserCostliest* found) {
  found->turns = CostliestTurns(entries, kCostliestCount);
  found->has_unmatched =
      std::any_of(entries.begin(), entries.end(), [](const TurnEntry& entry) { return entry.unmatched; });
}

class CostliestFinder {
 public:
  CostliestFinder(const UserTable& table, int64_t now_us) : table_(table), view_(*table.view), now_us_(now_us) {}

  Status Find() {
    std::vector<const UserEntry*> missing;
    uint64_t since = view_.meta().cursor;
    for (const auto& entry : table_.users) {
      if (std::atomic_load(&entry->costliest) != nullptr) continue;
      missing.push_back(entry.get());
      if (entry->costliest_before != nullptr) since = std::min(since, entry->costliest_before->as_of);
    }
    if (missing.empty()) return Status::Ok();
    std::optional<Keys> sessions = view_.WrittenSince(Tenant(RowKind::kSession).view(), since);
    std::optional<Keys> chunks = view_.WrittenSince(Tenant(RowKind::kUserPostings).view(), since);
    std::vector<const UserEntry*> unknown;
    for (const UserEntry* entry : missing) {
      bool goes_on = false;
      if (sessions && chunks && entry->costliest_before != nullptr) {
        ODOMETER_ASSIGN_OR_RETURN(goes_on, GoOn(*entry, *sessions, *chunks));
      }
      if (!goes_on) unknown.push_back(entry);
    }
    if (unknown.size() > table_.users.size() / kScanShare) return ReadAll(unknown);
    for (const UserEntry* entry : unknown) ODOMETER_RETURN_IF_ERROR(ReadOne(*entry));
    return Status::Ok();
  }

 private:
  KeyBuilder Tenant(RowKind kind) const {
    KeyBuilder key;
    key.Begin(kind).Text(table_.tenant);
    return key;
  }

  void Keep(const UserEntry& entry, std::shared_ptr<UserCostliest> found) const {
    found->as_of = view_.meta().cursor;
    std::atomic_store(&entry.costliest, std::shared_ptr<const UserCostliest>(std::move(found)));
  }

  Status ReadOne(const UserEntry& entry) {
    auto found = std::make_shared<UserCostliest>();
    ODOMETER_ASSIGN_OR_RETURN(found->sessions, ReadSessionFigures(view_, table_.tenant, entry.user, now_us_));
    Result<TurnList> turns = ListTurns(view_, table_.tenant, entry.user, {}, UINT64_MAX);
    if (!turns.ok()) return turns.status();
    SetTurns(turns->entries, found.get());
    Keep(entry, std::move(found));
    return Status::Ok();
  }

  // Rows of the tenant in key order beside users in key order: calls f(i, key, value) for those of users[i].
  template <class F>
  Status ForEachOf(const std::vector<const UserEntry*>& users, RowKind kind, F&& f) {
    KeyBuilder prefix = Tenant(kind);
    size_t at = 0;
    Status read;
    Status scanned =
        view_.Scan(prefix.view(), PrefixEnd(prefix.view()), [&](std::string_view key, std::string_view value) {
          std::string_view user = PartOf(key, 2);
          while (at < users.size() && IsBeforeInKeys(users[at]->user, user)) ++at;
          if (at == users.size()) return false;
          if (users[at]->user == user) read = f(at, key, value);
          return read.ok();
        });
    return scanned.ok() ? read : scanned;
  }

  Status ReadAll(const std::vector<const UserEntry*>& users) {
    std::vector<std::shared_ptr<UserCostliest>> found(users.size());
    for (auto& its : found) its = std::make_shared<UserCostliest>();
    ODOMETER_RETURN_IF_ERROR(
        ForEachOf(users, RowKind::kSession, [&](size_t i, std::string_view key, std::string_view value) {
          SessionRow row;
          if (!DecodeRow(value, &row)) return Status(Code::kCorrupt, "store: a row's bytes cannot be read");
          AddSession(PartOf(key, 3), std::move(row), now_us_, &found[i]->sessions);
          return Status::Ok();
        }));
    std::vector<Posting> postings;
    size_t whose = 0;
    auto finish = [&] {
      if (!postings.empty()) SetTurns(JoinTurns(postings), found[whose].get());
      postings.clear();
    };
    ODOMETER_RETURN_IF_ERROR(
        ForEachOf(users, RowKind::kUserPostings, [&](size_t i, std::string_view, std::string_view value) {
          PostingChunk chunk;
          if (!DecodeRow(value, &chunk)) return Status(Code::kCorrupt, "store: a row's bytes cannot be read");
          if (i != whose) finish();
          whose = i;
          std::copy_if(chunk.entries.begin(), chunk.entries.end(), std::back_inserter(postings), IsTurn);
          return Status::Ok();
        }));
    finish();
    for (size_t i = 0; i < users.size(); ++i) Keep(*users[i], std::move(found[i]));
    return Status::Ok();
  }

  // Those of `keys` that are the user's.
  std::pair<Keys::const_iterator, Keys::const_iterator> Of(const Keys& keys, RowKind kind, const UserEntry& entry) {
    KeyBuilder prefix = Tenant(kind);
    prefix.Text(entry.user);
    auto first = std::lower_bound(keys.begin(), keys.end(), prefix.view());
    auto last =
        std::find_if_not(first, keys.end(), [&](const std::string& key) { return key.starts_with(prefix.view()); });
    return {first, last};
  }

  // From what was found before; false when what was written since can bring up others than the costliest of then.
  Result<bool> GoOn(const UserEntry& entry, const Keys& sessions, const Keys& chunks) {
    auto found = std::make_shared<UserCostliest>(*entry.costliest_before);
    Result<bool> goes_on = GoOnWithSessions(Of(sessions, RowKind::kSession, entry), &found->sessions);
    if (goes_on.ok() && *goes_on) goes_on = GoOnWithTurns(Of(chunks, RowKind::kUserPostings, entry), found.get());
    if (goes_on.ok() && *goes_on) Keep(entry, std::move(found));
    return goes_on;
  }

  Result<bool> GoOnWithSessions(std::pair<Keys::const_iterator, Keys::const_iterator> keys, SessionFigures* figures) {
    // All of them first: one that comes back in must not meet another as it was.
    std::vector<std::pair<std::string_view, SessionRow>> written;
    for (auto key = keys.first; key != keys.second; ++key) {
      auto row = ReadRow<SessionRow>(view_, *key);
      if (!row.ok()) return row.status();
      if (!row->has_value()) continue;  // written after this view
      std::string_view session = PartOf(*key, 3);
      std::erase_if(figures->recent, [&](const auto& recent) { return recent.first == session; });
      auto known = std::find_if(figures->costliest.begin(), figures->costliest.end(),
                                [&](const SessionEntry& costly) { return costly.session == session; });
      if (known != figures->costliest.end()) {
        if ((*row)->tokens.total() < known->row.tokens.total()) return false;
        figures->costliest.erase(known);
      }
      written.emplace_back(session, std::move(**row));
    }
    figures->active = static_cast<int64_t>(figures->recent.size());
    for (auto& [session, row] : written) AddSession(session, std::move(row), now_us_, figures);
    return true;
  }

  Result<bool> GoOnWithTurns(std::pair<Keys::const_iterator, Keys::const_iterator> keys, UserCostliest* found) {
    if (keys.first != keys.second && found->has_unmatched) return false;
    std::vector<TurnEntry> entries = found->turns;
    for (auto key = keys.first; key != keys.second; ++key) {
      auto chunk = ReadRow<PostingChunk>(view_, *key);
      if (!chunk.ok()) return chunk.status();
      if (!chunk->has_value()) continue;
      for (const Posting& posting : (*chunk)->entries) {
        if (posting.offset < found->as_of) continue;
        if (posting.type == EventType::kTurnAmended) return false;
        if (posting.type == EventType::kTurnRecorded) entries.push_back({posting, false, {}});
      }
    }
    found->turns = CostliestTurns(entries, kCostliestCount);
    return true;
  }

  const UserTable& table_;
  const View& view_;
  const int64_t now_us_;
};

}  // namespace

Status FindCostliest(const UserTable& table, int64_t now_us) { return CostliestFinder(table, now_us).Find(); }

}  // namespace odometer
