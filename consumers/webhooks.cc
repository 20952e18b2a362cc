#include "consumers/webhooks.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <nlohmann/json.hpp>

#include "consumers/loopback.h"
#include "consumers/webhook_letter.h"
#include "core/check.h"
#include "log/replace_file.h"

namespace odometer {

namespace {

using Json = nlohmann::json;

constexpr int64_t kLookEveryUs = 200'000;
constexpr size_t kErrorBytesMax = 300;

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

// Whoever reads the status need not know them.
std::string WithoutSecrets(const std::string& url) {
  size_t host = url.find("://");
  host = host == std::string::npos ? 0 : host + 3;
  std::string shown = url.substr(0, std::min(url.find_first_of("/?#", host), url.size()));
  size_t at = shown.rfind('@');
  if (at != std::string::npos && at >= host) shown.erase(host, at + 1 - host);
  return shown;
}

// Ends a transfer when the daemon stops.
int IsToEnd(void* is_stopping, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(is_stopping)->load() ? 1 : 0;
}

Result<std::string> ReadAll(FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  Result<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  std::string text(*size, '\0');
  Result<size_t> read = (*file)->ReadAt(0, text.data(), text.size());
  if (!read.ok()) return read.status();
  text.resize(*read);
  return text;
}

Json ToJson(const DeadLetter& letter) {
  return {{"partition", letter.partition},  {"offset", letter.offset},     {"tenant", letter.tenant},
          {"id", letter.id.ToString()},     {"attempts", letter.attempts}, {"error", letter.error},
          {"gave_up_us", letter.gave_up_us}};
}

DeadLetter LetterOf(const Json& json) {
  DeadLetter letter;
  letter.partition = json.at("partition").get<uint32_t>();
  letter.offset = json.at("offset").get<uint64_t>();
  letter.tenant = json.at("tenant").get<std::string>();
  letter.id = Uuid::Parse(json.at("id").get<std::string>()).value_or(Uuid());
  letter.attempts = json.at("attempts").get<int64_t>();
  letter.error = json.at("error").get<std::string>();
  letter.gave_up_us = json.at("gave_up_us").get<int64_t>();
  return letter;
}

}  // namespace

// One address: its thread, its place in each partition, its dead letters.
class Webhook {
 public:
  Webhook(WebhookConfig config, Daemon& daemon, std::string directory, Webhooks::Log log)
      : config_(std::move(config)), daemon_(daemon), directory_(std::move(directory)), log_(std::move(log)) {}
  ~Webhook() {
    Stop();
    if (curl_ != nullptr) curl_easy_cleanup(curl_);
  }

  const std::string& name() const { return config_.name; }
  Status Open();
  void Start() {
    thread_ = std::thread([this] { Loop(); });
  }
  void BeginStop();
  void Stop();
  WebhookStatus status() const;
  std::vector<DeadLetter> dead_letters() const;
  size_t Resend(const std::vector<Uuid>& ids);

 private:
  // What is to be sent: the next alert of a partition, or a dead letter.
  struct Letter {
    uint32_t partition = 0;
    Alert alert;
    bool is_dead = false;
  };

  void Loop();
  void Turn();
  Result<std::optional<Letter>> Next();
  Result<std::optional<Letter>> NextDead();
  Result<Alert> AlertOf(const DeadLetter& letter) const;
  Status Send(const Letter& letter, bool* is_refused);
  void Delivered(const Letter& letter);
  void NotDelivered(const Letter& letter, const Status& why, bool is_refused);
  void Save();
  Status Load();
  void PlaceIn(uint32_t partition);
  std::string path() const { return directory_ + "/" + config_.name + ".json"; }
  int64_t Backoff() const;

  const WebhookConfig config_;
  Daemon& daemon_;
  const std::string directory_;
  const Webhooks::Log log_;
  std::string secret_;
  CURL* curl_ = nullptr;
  std::thread thread_;
  size_t turn_ = 0;          // which partition is looked at first
  int64_t attempts_ = 0;     // of the letter whose turn it is
  int64_t failures_ = 0;     // in a row, of whatever letter
  int64_t next_try_us_ = 0;  // monotonic
  bool is_file_bad_ = false;
  bool was_dead_ = false;                   // the last letter that was sent: the two take turns
  std::map<uint32_t, uint64_t> looked_to_;  // by partition: below it there is nothing for this address
  std::atomic<bool> is_stopping_ = false;

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable woken_;
  WebhookStatus status_;
  std::deque<DeadLetter> dead_;
  std::deque<Uuid> resend_;
};

Status Webhook::Open() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  ODOMETER_CHECK(started == CURLE_OK);
  curl_ = curl_easy_init();
  ODOMETER_CHECK(curl_ != nullptr);
  status_.name = config_.name;
  status_.url = WithoutSecrets(config_.url);
  status_.tenant = config_.tenant;
  if (!config_.secret_file.empty()) {
    Result<std::string> secret = ReadAll(PosixFileSystem(), config_.secret_file);
    if (!secret.ok()) return Status(Code::kInvalid, "webhook '" + config_.name + "': " + secret.status().message());
    secret_ = secret->substr(0, secret->find_last_not_of(" \r\n") + 1);
    if (!HasSigningKey(secret_))
      return Status(Code::kInvalid, "webhook '" + config_.name + "': " + config_.secret_file + " holds no secret");
  }
  ODOMETER_RETURN_IF_ERROR(PosixFileSystem().CreateDirectories(directory_));
  ODOMETER_RETURN_IF_ERROR(Load());
  for (uint32_t partition : daemon_.owned()) PlaceIn(partition);
  std::lock_guard lock(mutex_);
  Save();
  return is_file_bad_ ? Status(Code::kIo, "cannot write " + path()) : Status::Ok();
}

// What is in the log already is not told to an address that is new there; nor is there anything beyond its end.
void Webhook::PlaceIn(uint32_t partition) {
  Runner& runner = daemon_.runner(partition);
  uint64_t end = std::max(runner.log().range().end, runner.view()->meta().cursor);
  auto [place, is_new] = status_.offsets.try_emplace(partition, end);
  std::string text = "webhook=" + config_.name + " partition=" + std::to_string(partition);
  if (is_new) log_("info", text + " begins at offset " + std::to_string(end));
  if (place->second <= end) return;
  log_("warn", text + " its place, " + std::to_string(place->second) +
                   ", is beyond the log's end: it goes on there, at " + std::to_string(end));
  place->second = end;
  std::erase_if(dead_, [&](const DeadLetter& dead) { return dead.partition == partition && dead.offset >= end; });
  status_.dead_letters = dead_.size();
}

Status Webhook::Load() {
  FileSystem& files = PosixFileSystem();
  Result<bool> is_there = files.Exists(path());
  if (!is_there.ok()) return is_there.status();
  if (!*is_there) return Status::Ok();
  Result<std::string> text = ReadAll(files, path());
  if (!text.ok()) return text.status();
  try {
    Json json = Json::parse(*text);
    if (json.at("log_id").get<std::string>() != daemon_.log().log_id().ToString()) {
      log_("warn",
           "webhook=" + config_.name + " its file is of another log: it begins with what is crossed from now on");
      return Status::Ok();
    }
    status_.delivered = json.at("delivered").get<uint64_t>();
    for (const auto& [partition, offset] : json.at("offsets").items())
      status_.offsets[static_cast<uint32_t>(std::stoul(partition))] = offset.get<uint64_t>();
    for (const Json& letter : json.at("dead_letters")) dead_.push_back(LetterOf(letter));
  } catch (const std::exception& error) {
    return Status(Code::kCorrupt, path() + ": " + error.what() +
                                      "; put it aside, and the address begins with what is crossed from then on");
  }
  status_.dead_letters = dead_.size();
  return Status::Ok();
}

// The caller holds the mutex.
void Webhook::Save() {
  Json json = {{"log_id", daemon_.log().log_id().ToString()},
               {"delivered", status_.delivered},
               {"offsets", Json::object()},
               {"dead_letters", Json::array()}};
  for (const auto& [partition, offset] : status_.offsets) json["offsets"][std::to_string(partition)] = offset;
  for (const DeadLetter& letter : dead_) json["dead_letters"].push_back(ToJson(letter));
  Status saved =
      ReplaceFile(PosixFileSystem(), directory_, path(), json.dump(1, ' ', false, Json::error_handler_t::replace));
  if (!saved.ok() && !is_file_bad_)
    log_("error", "webhook=" + config_.name + " its place cannot be kept, a restart sends again: " + saved.ToString());
  is_file_bad_ = !saved.ok();
}

void Webhook::BeginStop() {
  std::lock_guard lock(mutex_);
  is_stopping_ = true;
  woken_.notify_all();
}

void Webhook::Stop() {
  BeginStop();
  if (thread_.joinable()) thread_.join();
}

WebhookStatus Webhook::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

std::vector<DeadLetter> Webhook::dead_letters() const {
  std::lock_guard lock(mutex_);
  return {dead_.begin(), dead_.end()};
}

size_t Webhook::Resend(const std::vector<Uuid>& ids) {
  std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const DeadLetter& letter : dead_) {
    bool is_meant = ids.empty() || std::find(ids.begin(), ids.end(), letter.id) != ids.end();
    if (!is_meant || !daemon_.owns(letter.partition)) continue;
    bool is_waiting = std::find(resend_.begin(), resend_.end(), letter.id) != resend_.end();
    ++count;
    if (!is_waiting) resend_.push_back(letter.id);
  }
  woken_.notify_all();
  return count;
}

void Webhook::Loop() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    int64_t wait_us = next_try_us_ - daemon_.clock().MonotonicUs();
    if (wait_us > 0) {
      woken_.wait_for(lock, std::chrono::microseconds(std::min(wait_us, kLookEveryUs)));
      continue;
    }
    lock.unlock();
    Turn();
    lock.lock();
  }
}

// Sends one letter, or finds that there is none.
void Webhook::Turn() {
  Result<std::optional<Letter>> letter = was_dead_ ? Next() : NextDead();
  if (letter.ok() && !*letter) letter = was_dead_ ? NextDead() : Next();
  if (!letter.ok()) log_("error", "webhook=" + config_.name + " " + letter.status().ToString());
  if (!letter.ok() || !*letter) {
    next_try_us_ = daemon_.clock().MonotonicUs() + kLookEveryUs;
    return;
  }
  was_dead_ = (*letter)->is_dead;
  bool is_refused = false;
  Status sent = Send(**letter, &is_refused);
  if (sent.ok()) {
    Delivered(**letter);
  } else {
    NotDelivered(**letter, sent, is_refused);
  }
}

Result<std::optional<Webhook::Letter>> Webhook::Next() {
  std::map<uint32_t, uint64_t> offsets;
  {
    std::lock_guard lock(mutex_);
    if (dead_.size() >= Webhooks::kDeadLettersMax) return std::optional<Letter>();
    offsets = status_.offsets;
  }
  std::span<const uint32_t> owned = daemon_.owned();
  for (size_t i = 0; i < owned.size(); ++i) {
    uint32_t partition = owned[(turn_ + i) % owned.size()];
    if (!config_.tenant.empty() && partition != daemon_.PartitionOfTenant(config_.tenant)) continue;
    uint64_t from = std::max(offsets[partition], looked_to_[partition]);
    Result<AlertPage> page = AlertsFrom(*daemon_.runner(partition).view(), config_.tenant, from, 1);
    if (!page.ok()) return page.status();
    if (page->alerts.empty()) {
      looked_to_[partition] = page->next.value_or(from);
      continue;
    }
    turn_ = (turn_ + i) % owned.size();  // stays with it until its letter is through
    return std::optional<Letter>({partition, std::move(page->alerts.front()), false});
  }
  return std::optional<Letter>();
}

Result<std::optional<Webhook::Letter>> Webhook::NextDead() {
  DeadLetter letter;
  {
    std::lock_guard lock(mutex_);
    if (resend_.empty()) return std::optional<Letter>();
    auto found = std::find_if(dead_.begin(), dead_.end(), [&](const auto& dead) { return dead.id == resend_.front(); });
    if (found == dead_.end()) {
      resend_.pop_front();
      return std::optional<Letter>();
    }
    letter = *found;
  }
  Result<Alert> alert = AlertOf(letter);
  if (alert.ok()) return std::optional<Letter>({letter.partition, *std::move(alert), true});
  std::lock_guard lock(mutex_);
  std::erase(resend_, letter.id);
  return alert.status();
}

Result<Alert> Webhook::AlertOf(const DeadLetter& letter) const {
  if (!daemon_.owns(letter.partition)) return Status(Code::kInvalid, "a dead letter's partition is not owned any more");
  Result<AlertPage> page = AlertsFrom(*daemon_.runner(letter.partition).view(), letter.tenant, letter.offset, 1);
  if (!page.ok()) return page.status();
  if (page->alerts.empty() || page->alerts.front().offset != letter.offset)
    return Status(Code::kUnavailable, "a dead letter's alert is not in the view");
  return std::move(page->alerts.front());
}

// `is_refused`: the address has looked at it and will not take it another time either.
Status Webhook::Send(const Letter& letter, bool* is_refused) {
  std::string id = letter.alert.row.id.ToString(), body = WebhookBody(letter.partition, letter.alert);
  int64_t timestamp_s = daemon_.clock().NowUs() / kUsPerSecond;
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  headers = curl_slist_append(headers, ("webhook-id: " + id).c_str());
  headers = curl_slist_append(headers, ("webhook-timestamp: " + std::to_string(timestamp_s)).c_str());
  if (!secret_.empty()) {
    std::string signature = WebhookSignature(secret_, id, timestamp_s, body);
    headers = curl_slist_append(headers, ("webhook-signature: " + signature).c_str());
  }
  char error[CURL_ERROR_SIZE] = "";
  curl_easy_reset(curl_);
  curl_easy_setopt(curl_, CURLOPT_URL, config_.url.c_str());
  curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl_, CURLOPT_USERAGENT, "odometer");
  curl_easy_setopt(curl_, CURLOPT_POST, 1L);
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(config_.timeout_ms));
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, Discard);
  curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, IsToEnd);
  curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &is_stopping_);
  if (IsLoopback(WithoutSecrets(config_.url))) curl_easy_setopt(curl_, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, error);
  CURLcode code = curl_easy_perform(curl_);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
  curl_slist_free_all(headers);
  if (code != CURLE_OK)
    return Status(Code::kUnavailable, std::string(error[0] != '\0' ? error : curl_easy_strerror(code)));
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) return Status::Ok();
  *is_refused = status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
  return Status(Code::kUnavailable, "answered " + std::to_string(status));
}

void Webhook::Delivered(const Letter& letter) {
  attempts_ = letter.is_dead ? attempts_ : 0;
  failures_ = 0;
  next_try_us_ = 0;
  std::lock_guard lock(mutex_);
  if (status_.failing_since_us >= 0) log_("info", "webhook=" + config_.name + " works again");
  status_.failing_since_us = status_.next_try_us = -1;
  status_.error.clear();
  ++status_.delivered;
  if (letter.is_dead) {
    std::erase_if(dead_, [&](const DeadLetter& dead) { return dead.id == letter.alert.row.id; });
    std::erase(resend_, letter.alert.row.id);
    status_.dead_letters = dead_.size();
  } else {
    status_.offsets[letter.partition] = letter.alert.offset + 1;
    ++turn_;
  }
  Save();
}

int64_t Webhook::Backoff() const {
  int64_t wait_ms = config_.backoff_min_ms;
  for (int64_t i = 1; i < failures_ && wait_ms < config_.backoff_max_ms; ++i) wait_ms *= 2;
  return std::min(wait_ms, config_.backoff_max_ms) * 1'000;
}

void Webhook::NotDelivered(const Letter& letter, const Status& why, bool is_refused) {
  constexpr int64_t kRefusalsMax = 3;
  if (is_stopping_) return;  // it was not the address that ended it
  ++failures_;
  next_try_us_ = daemon_.clock().MonotonicUs() + Backoff();
  std::string error = why.message().substr(0, kErrorBytesMax);
  int64_t now_us = daemon_.clock().NowUs();
  std::lock_guard lock(mutex_);
  ++status_.failed;
  if (status_.failing_since_us < 0) {
    status_.failing_since_us = now_us;
    log_("warn", "webhook=" + config_.name + " " + error + ": it is tried again");
  }
  status_.error = error;
  status_.next_try_us = now_us + Backoff();
  if (letter.is_dead) {
    // What takes one no more takes none: the others wait to be asked for again.
    is_refused ? void(std::erase(resend_, letter.alert.row.id)) : resend_.clear();
    for (DeadLetter& dead : dead_) {
      if (dead.id != letter.alert.row.id) continue;
      ++dead.attempts;
      dead.error = error;
      dead.gave_up_us = now_us;
    }
    return Save();
  }
  ++attempts_;
  if (attempts_ < (is_refused ? std::min(kRefusalsMax, config_.attempts_max) : config_.attempts_max)) return;
  dead_.push_back(
      {letter.partition, letter.alert.offset, letter.alert.tenant, letter.alert.row.id, attempts_, error, now_us});
  log_("error", "webhook=" + config_.name + " gave up on " + letter.alert.row.id.ToString() + " after " +
                    std::to_string(attempts_) + " attempts: " + error + "; it is a dead letter now");
  attempts_ = 0;
  if (is_refused) next_try_us_ = failures_ = 0;  // the address answers; the next one may be to its taste
  status_.dead_letters = dead_.size();
  if (dead_.size() == Webhooks::kDeadLettersMax)
    log_("error", "webhook=" + config_.name +
                      " has as many dead letters as are kept: it is told nothing more until "
                      "they are sent again (odometer webhooks resend)");
  status_.offsets[letter.partition] = letter.alert.offset + 1;
  ++turn_;
  Save();
}

Result<std::unique_ptr<Webhooks>> Webhooks::Open(const std::vector<WebhookConfig>& configs, Daemon& daemon,
                                                 const std::string& directory, Log log) {
  std::unique_ptr<Webhooks> webhooks(new Webhooks());
  for (const WebhookConfig& config : configs) {
    webhooks->webhooks_.push_back(std::make_unique<Webhook>(config, daemon, directory, log));
    ODOMETER_RETURN_IF_ERROR(webhooks->webhooks_.back()->Open());
  }
  return webhooks;
}

Webhooks::~Webhooks() { Stop(); }

void Webhooks::Start() {
  for (auto& webhook : webhooks_) webhook->Start();
}

void Webhooks::Stop() {
  for (auto& webhook : webhooks_) webhook->BeginStop();
  for (auto& webhook : webhooks_) webhook->Stop();
}

std::vector<WebhookStatus> Webhooks::statuses() const {
  std::vector<WebhookStatus> statuses;
  for (const auto& webhook : webhooks_) statuses.push_back(webhook->status());
  return statuses;
}

Webhook* Webhooks::Find(std::string_view name) const {
  auto found = std::find_if(webhooks_.begin(), webhooks_.end(), [&](const auto& one) { return one->name() == name; });
  return found == webhooks_.end() ? nullptr : found->get();
}

Result<std::vector<DeadLetter>> Webhooks::dead_letters(std::string_view name) const {
  Webhook* webhook = Find(name);
  if (webhook == nullptr) return Status(Code::kNotFound, "no webhook is called '" + std::string(name) + "'");
  return webhook->dead_letters();
}

Result<size_t> Webhooks::Resend(std::string_view name, const std::vector<Uuid>& ids) {
  Webhook* webhook = Find(name);
  if (webhook == nullptr) return Status(Code::kNotFound, "no webhook is called '" + std::string(name) + "'");
  return webhook->Resend(ids);
}

}  // namespace odometer
