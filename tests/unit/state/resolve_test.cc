#include "state/resolve.h"

#include <gtest/gtest.h>

#include <map>

#include "core/check.h"

namespace odometer {
namespace {

// Definitions by name: "override/ann", "quota/user_project/ann/docs/".
class Book : public LimitSource {
 public:
  void Say(const std::string& where, std::vector<Limit> limits) {
    LimitsRow row;
    row.defined.id.bytes[0] = static_cast<uint8_t>(++ids_);
    for (const Limit& limit : limits) row.limits.push_back(LimitItem::Of(limit));
    rows_[where] = row;
    ++policy_.definitions;
    if (where.starts_with("override/") && where != "override/") ++policy_.user_overrides;
    for (uint8_t level = 1; level <= 6; ++level) {
      std::string prefix = "quota/" + std::string(QuotaLevelName(static_cast<QuotaLevel>(level))) + "/";
      if (where.starts_with(prefix)) ++policy_.quotas[level - 1];
    }
  }
  void Define(const std::string& profile, std::vector<Limit> limits) {
    ProfileRow row;
    row.defined.id.bytes[0] = static_cast<uint8_t>(++ids_);
    for (const Limit& limit : limits) row.limits.push_back(LimitItem::Of(limit));
    profiles_[profile] = row;
    ++policy_.definitions;
  }
  void Assign(const std::string& user, const std::string& profile) {
    assignments_[user].profile = profile;
    ++policy_.assignments;
    ++policy_.definitions;
  }

  Result<const PolicyRow*> Policy(std::string_view) override { return static_cast<const PolicyRow*>(&policy_); }
  Result<const ProfileRow*> Profile(std::string_view, std::string_view name) override { return In(profiles_, name); }
  Result<const AssignmentRow*> Assignment(std::string_view, std::string_view user) override {
    return In(assignments_, user);
  }
  Result<const LimitsRow*> Override(std::string_view, std::string_view user) override {
    return In(rows_, "override/" + std::string(user));
  }
  Result<const LimitsRow*> Quota(QuotaLevel level, const Subject& own) override {
    return In(rows_, "quota/" + std::string(QuotaLevelName(level)) + "/" + std::string(own.user) + "/" +
                         std::string(own.project) + "/" + std::string(own.collection));
  }
  Result<const LimitUseRow*> Use(Scope, const Subject&) override { return static_cast<const LimitUseRow*>(nullptr); }
  Result<const TenantRow*> Tenant(const Subject&) override { return static_cast<const TenantRow*>(nullptr); }
  Result<const AccountRow*> Account(const Subject&) override { return static_cast<const AccountRow*>(nullptr); }
  Result<const PeriodRow*> UserPeriod(const Subject&, Period) override {
    return static_cast<const PeriodRow*>(nullptr);
  }
  Result<const DayRow*> UserDay(const Subject&, int64_t) override { return static_cast<const DayRow*>(nullptr); }
  Result<const ProjectRow*> Project(const Subject&) override { return static_cast<const ProjectRow*>(nullptr); }
  Result<const UserGaugesRow*> UserGauges(const Subject&) override {
    return static_cast<const UserGaugesRow*>(nullptr);
  }
  Result<const ProjectRow*> UserInProject(const Subject&) override { return static_cast<const ProjectRow*>(nullptr); }
  Result<const CollectionRow*> Collection(const Subject&) override {
    return static_cast<const CollectionRow*>(nullptr);
  }

 private:
  template <class Row>
  static Result<const Row*> In(const std::map<std::string, Row, std::less<>>& rows, std::string_view name) {
    auto found = rows.find(name);
    return found == rows.end() ? static_cast<const Row*>(nullptr) : &found->second;
  }

  PolicyRow policy_;
  std::map<std::string, LimitsRow, std::less<>> rows_;
  std::map<std::string, ProfileRow, std::less<>> profiles_;
  std::map<std::string, AssignmentRow, std::less<>> assignments_;
  int ids_ = 0;
};

Limit Of(Meter meter, Window window, std::optional<int64_t> cap) {
  Limit limit;
  limit.meter = meter;
  limit.window = window;
  limit.cap = cap;
  return limit;
}
Limit Hourly(std::optional<int64_t> cap) { return Of(Meter::kRequests, Window::kRollingHour, cap); }
Limit Vectors(std::optional<int64_t> cap) { return Of(Meter::kVectors, Window::kGauge, cap); }
Limit Searches(std::optional<int64_t> cap) { return Of(Meter::kSearches, Window::kRolling24h, cap); }

// "rolling_hour 50 profile user": window, cap, level and scope of each, in their order.
std::string Resolved(Book& book, const Subject& subject) {
  std::vector<AppliedLimit> limits;
  ODOMETER_CHECK(Resolve(book, subject, &limits).ok());
  std::string text;
  for (const AppliedLimit& limit : limits) {
    text += (text.empty() ? "" : "; ") + std::string(MeterName(limit.limit.meter)) + " " +
            std::to_string(*limit.limit.cap) + " " + std::string(LevelName(limit.level)) + " " +
            std::string(ScopeName(limit.scope));
  }
  return text;
}

const Subject kAnn{"acme", "ann", {}, {}};
const Subject kAnnInDocs{"acme", "ann", "docs", "main"};

TEST(Resolve, NobodySaysAnythingSoNothingApplies) {
  Book book;
  EXPECT_EQ(Resolved(book, kAnn), "");
}

// Each line: what is said at which of the four levels of a user (−1: no cap; −2: nothing), and what decides.
TEST(Resolve, TheFirstLevelOfAUserThatSaysSomethingDecides) {
  struct Line {
    int64_t tenant, user, profile, fallback;
    const char* decides;
  };
  constexpr int64_t kSilent = -2, kNone = -1;
  const Line lines[] = {
      {1, 2, 3, 4, "requests 1 tenant_override user"},
      {kSilent, 2, 3, 4, "requests 2 user_override user"},
      {kSilent, kSilent, 3, 4, "requests 3 profile user"},
      {kSilent, kSilent, kSilent, 4, "requests 4 fallback_profile user"},
      {kSilent, kSilent, kSilent, kSilent, ""},
      {kNone, 2, 3, 4, ""},
      {kSilent, kNone, 3, 4, ""},
      {kSilent, kSilent, kNone, 4, ""},
      {0, 2, 3, 4, "requests 0 tenant_override user"},
      {1, kNone, 3, 4, "requests 1 tenant_override user"},
  };
  for (const Line& line : lines) {
    SCOPED_TRACE(testing::Message() << line.tenant << " " << line.user << " " << line.profile << " " << line.fallback);
    auto said = [&](int64_t cap) {
      std::vector<Limit> limits = {Of(Meter::kCost, Window::kLifetime, std::nullopt)};
      if (cap != kSilent) limits.push_back(Hourly(cap == kNone ? std::nullopt : std::optional(cap)));
      return limits;
    };
    Book book;
    book.Say("override/", said(line.tenant));
    book.Say("override/ann", said(line.user));
    book.Define("own", said(line.profile));
    book.Define("all", said(line.fallback));
    book.Assign("ann", "own");
    book.Assign("", "all");
    EXPECT_EQ(Resolved(book, kAnn), line.decides);
  }
}

TEST(Resolve, EachMeterAndWindowResolvesByItself) {
  Book book;
  book.Say("override/ann", {Hourly(7)});
  book.Assign("ann", "Free");
  EXPECT_EQ(Resolved(book, kAnn),
            "requests 7 user_override user; requests 500 profile user; config_changes 5 profile user; "
            "input_tokens 100000 profile user; output_tokens 50000 profile user");
}

TEST(Resolve, UnlimitedHasNoCapOfTokensAndHidesThatOfTheFallback) {
  Book book;
  book.Assign("ann", "Unlimited");
  book.Assign("", "Free");
  EXPECT_EQ(Resolved(book, kAnn),
            "requests 1000 profile user; requests 10000 profile user; config_changes 100 profile user");
}

TEST(Resolve, AProfileOfATenantsOwnTakesThePlaceOfABuiltInOne) {
  Book book;
  book.Define("Free", {Hourly(1)});
  book.Assign("ann", "Free");
  EXPECT_EQ(Resolved(book, kAnn), "requests 1 profile user");
}

// V6: a user's quota that says nothing of vectors does not hide the project's.
TEST(Resolve, AQuotaOfSearchesOfAUserDoesNotHideTheProjectsOfVectors) {
  Book book;
  book.Say("quota/user/ann//", {Searches(3)});
  book.Say("quota/project//docs/", {Vectors(10), Searches(100)});
  EXPECT_EQ(Resolved(book, kAnnInDocs), "searches 3 user_quota user; vectors 10 project_quota project");
}

TEST(Resolve, QuotasGoFromTheUserInTheProjectToTheTenantsDefault) {
  Book book;
  book.Say("quota/default///", {Searches(1)});
  EXPECT_EQ(Resolved(book, kAnnInDocs), "searches 1 default_quota project");
  book.Say("quota/project//docs/", {Searches(2)});
  EXPECT_EQ(Resolved(book, kAnnInDocs), "searches 2 project_quota project");
  book.Say("quota/user/ann//", {Searches(3)});
  EXPECT_EQ(Resolved(book, kAnnInDocs), "searches 3 user_quota user");
  book.Say("quota/user_project/ann/docs/", {Searches(4)});
  EXPECT_EQ(Resolved(book, kAnnInDocs), "searches 4 user_project_quota user_in_project");
  EXPECT_EQ(Resolved(book, {"acme", "bob", "docs", {}}), "searches 2 project_quota project");
  EXPECT_EQ(Resolved(book, {"acme", "bob", "other", {}}), "searches 1 default_quota project");
}

TEST(Resolve, ACollectionsAndATenantsQuotaAreCheckedBesides) {
  Book book;
  book.Say("quota/collection//docs/main", {Vectors(5)});
  book.Say("quota/tenant///", {Vectors(1000)});
  book.Say("quota/project//docs/", {Vectors(10)});
  EXPECT_EQ(
      Resolved(book, kAnnInDocs),
      "vectors 10 project_quota project; vectors 5 collection_quota collection; vectors 1000 tenant_quota tenant");
  EXPECT_EQ(Resolved(book, {"acme", {}, "docs", {}}),
            "vectors 10 project_quota project; vectors 1000 tenant_quota tenant");
}

TEST(Resolve, ALimitOverAScopeThatTheSubjectDoesNotLieInDoesNotApply) {
  Book book;
  Limit limit = Hourly(5);
  limit.over = Scope::kUserInProject;
  book.Say("override/ann", {limit});
  EXPECT_EQ(Resolved(book, kAnn), "");
  EXPECT_EQ(Resolved(book, kAnnInDocs), "requests 5 user_override user_in_project");
}

TEST(Resolve, AnOverrideOfAnotherUserIsNotMine) {
  Book book;
  book.Say("override/bob", {Hourly(1)});
  EXPECT_EQ(Resolved(book, kAnn), "");
}

}  // namespace
}  // namespace odometer
