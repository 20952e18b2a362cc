// What a vector database's meter that came before got wrong; see defect_fixture.h.
#include <functional>

#include "tests/unit/state/defect_fixture.h"

namespace odometer {
namespace {

// --- V1: operations were counted, not vectors.

class VectorDefectV1 : public DefectTest {};

TEST_F(VectorDefectV1, EightVectorsInOneOperationAreEightVectors) {
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 8, kNoon)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "8");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.success"), "1");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.succeeded"), "8");
  EXPECT_EQ(partition_.Get("project_user[acme,ann,p]", "vectors"), "8");
  EXPECT_EQ(partition_.Get("tenant[acme]", "vectors"), "8");
  // Five more would make thirteen, which a limit of ten can now see.
  ASSERT_EQ(partition_.Apply(make_.Vectors("bob", "p", 5, kNoon)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "13");
}

TEST_F(VectorDefectV1, EveryWayToAddOrRemoveVectorsMovesTheGauge) {
  Event upsert = make_.Operation(EventType::kVectorsUpserted, "ann", "p", kNoon);
  upsert.operation.requested = upsert.operation.succeeded = 10;
  upsert.operation.inserted = upsert.operation.vectors_delta = 4;  // six of them replaced what was there
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 802, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(upsert), "applied");
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", -6, kNoon)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "800");
  EXPECT_EQ(partition_.Get("project[acme,p]", "inserted"), "4");
}

// --- V3: deletes of what was not there made room.

class VectorDefectV3 : public DefectTest {};

TEST_F(VectorDefectV3, ADeleteTakesOutWhatItRemovedNotWhatItAskedFor) {
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 8, kNoon)), "applied");
  Event removal = make_.Vectors("ann", "p", -8, kNoon);
  removal.operation.requested = 10;
  removal.operation.status = OperationStatus::kPartialFailure;
  ASSERT_EQ(partition_.Apply(removal), "applied");
  Event nothing = make_.Operation(EventType::kVectorsDeleted, "ann", "p", kNoon);
  nothing.operation.requested = 2;
  nothing.operation.status = OperationStatus::kFailure;
  ASSERT_EQ(partition_.Apply(nothing), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "0");
  EXPECT_EQ(partition_.Get("project[acme,p]", "delete.requested"), "12");
  EXPECT_EQ(partition_.Get("project[acme,p]", "delete.succeeded"), "8");
}

TEST_F(VectorDefectV3, ADeleteThatIsSeenBeforeItsAddMakesNoRoomInTheEnd) {
  Event add = make_.Vectors("ann", "p", 2, kNoon);
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", -2, kNoon + kMinute)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "-2") << "not hidden: something is to come";
  ASSERT_EQ(partition_.Apply(add), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "0");
}

TEST_F(VectorDefectV3, TheHostsOwnCountMendsTheGaugeAndTheDifferenceIsBooked) {
  Event removal = make_.Vectors("ann", "p", -5, kNoon);
  removal.operation.collection = "c";
  ASSERT_EQ(partition_.Apply(removal), "applied");
  Event count = make_.Operation(EventType::kVectorsCounted, "ann", "p", kNoon + kMinute);
  count.operation.collection = "c";
  count.operation.counted_vectors = 3;
  ASSERT_EQ(partition_.Apply(count), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "3");
  EXPECT_EQ(partition_.Get("collection[acme,p,c]", "vectors"), "3");
  EXPECT_EQ(partition_.Get("project[acme,p]", "correction_vectors"), "8");
}

// --- V9: a partly failed batch logged all of its vectors; an upsert logged neither side.

class VectorDefectV9 : public DefectTest {};

TEST_F(VectorDefectV9, APartlyFailedBatchCountsTheVectorsThatWereStored) {
  Event batch = make_.Operation(EventType::kVectorsAdded, "ann", "p", kNoon);
  batch.operation.status = OperationStatus::kPartialFailure;
  batch.operation.requested = 100;
  batch.operation.succeeded = batch.operation.vectors_delta = 60;
  ASSERT_EQ(partition_.Apply(batch), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "60");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.requested"), "100");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.succeeded"), "60");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.partial_failure"), "1");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.success"), "0");
  std::string hour = "project_hour[acme,p," + std::to_string(HourAt(kNoon)) + ",ann]";
  EXPECT_EQ(partition_.Get(hour, "add.partial_failure.vectors_delta"), "60");
}

TEST_F(VectorDefectV9, AnUpsertIsOneOperationThatSaysWhatItWroteAndHowMuchOfItIsNew) {
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 6, kNoon)), "applied");
  Event upsert = make_.Operation(EventType::kVectorsUpserted, "ann", "p", kNoon);
  upsert.operation.collection = "c";
  upsert.operation.requested = 6;
  upsert.operation.succeeded = 5;
  upsert.operation.inserted = upsert.operation.vectors_delta = 2;  // three took the place of what was there
  upsert.operation.status = OperationStatus::kPartialFailure;
  ASSERT_EQ(partition_.Apply(upsert), "applied");
  for (std::string row : {"project[acme,p]", "project_user[acme,ann,p]"}) {
    EXPECT_EQ(partition_.Get(row, "upsert.partial_failure"), "1");
    EXPECT_EQ(partition_.Get(row, "upsert.requested"), "6");
    EXPECT_EQ(partition_.Get(row, "upsert.succeeded"), "5");
    EXPECT_EQ(partition_.Get(row, "inserted"), "2");
    EXPECT_EQ(partition_.Get(row, "vectors"), "8");
    EXPECT_EQ(partition_.Get(row, "add.success"), "1") << "an upsert is no second add";
    EXPECT_EQ(partition_.Get(row, "delete.success"), "0") << "and no delete";
  }
  EXPECT_EQ(partition_.Get("collection[acme,p,c]", "vectors"), "2");
  std::string hour = "project_hour[acme,p," + std::to_string(HourAt(kNoon)) + ",ann]";
  EXPECT_EQ(partition_.Get(hour, "upsert.partial_failure.inserted"), "2");
  EXPECT_EQ(partition_.Get(hour, "upsert.partial_failure.succeeded"), "5");
}

TEST_F(VectorDefectV9, ARefusedOperationMovesNoGauge) {
  Event refused = make_.Operation(EventType::kVectorsAdded, "ann", "p", kNoon);
  refused.operation.status = OperationStatus::kQuotaExceeded;
  refused.operation.requested = 50;
  ASSERT_EQ(partition_.Apply(refused), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "0");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.quota_exceeded"), "1");
  Event claims = refused;
  claims.operation.vectors_delta = 1;
  EXPECT_EQ(CheckMeaning(claims), Reason::kInconsistentAmounts);
}

// --- V10: what a check cost grew with what had happened before.

// Counts what a reader asks of a view.
class CountingView : public View {
 public:
  explicit CountingView(std::shared_ptr<const View> view) : view_(std::move(view)) {}
  const MetaRow& meta() const override { return view_->meta(); }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    ++gets_;
    Result<std::optional<std::string>> value = view_->Get(key);
    if (value.ok() && value->has_value()) bytes_ += (*value)->size();
    return value;
  }
  Status Scan(std::string_view begin, std::string_view end,
              const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return view_->Scan(begin, end, Counted(row));
  }
  Status ScanBack(std::string_view begin, std::string_view end,
                  const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return view_->ScanBack(begin, end, Counted(row));
  }
  uint64_t gets() const { return gets_; }
  uint64_t scanned() const { return scanned_; }
  uint64_t bytes() const { return bytes_; }

 private:
  std::function<bool(std::string_view, std::string_view)> Counted(
      const std::function<bool(std::string_view, std::string_view)>& row) const {
    return [this, &row](std::string_view key, std::string_view value) {
      ++scanned_;
      bytes_ += value.size();
      return row(key, value);
    };
  }
  std::shared_ptr<const View> view_;
  mutable uint64_t gets_ = 0, scanned_ = 0, bytes_ = 0;
};

class VectorDefectV10 : public DefectTest {
 protected:
  // Ten searches an hour, and vectors come and go, for this many hours more.
  void Work(int hours) {
    for (int i = 0; i < hours; ++i, now_us_ += kUsPerHour) {
      for (int n = 0; n < 10; ++n) {
        ASSERT_EQ(partition_.Apply(make_.Operation(EventType::kVectorsSearched, "ann", "p", now_us_ + n)), "applied");
      }
      ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 7, now_us_)), "applied");
      ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", -5, now_us_)), "applied");
      ASSERT_EQ(partition_.Apply(make_.Turn("ann", now_us_, "s")), "applied");
    }
  }
  struct Cost {
    uint64_t gets = 0, scanned = 0, bytes = 0;
  };
  // What a check of a project's vectors and searches and of a user's requests reads.
  Cost Check(int64_t vectors, uint64_t searches, uint64_t requests) {
    CountingView view(partition_.view());
    ProjectRow project = **ReadRow<ProjectRow>(view, ProjectKey("p"));
    AccountRow account = **ReadRow<AccountRow>(view, AccountKey("ann"));
    int64_t hour = HourAt(now_us_ - kUsPerHour);
    EXPECT_EQ(project.vectors, vectors);
    EXPECT_EQ(project.searches_ring.AgedTo(hour).Sum(), searches);
    EXPECT_EQ(account.requests_ring.AgedTo(hour).Sum(), requests);
    return {view.gets(), view.scanned(), view.bytes()};
  }

  int64_t now_us_ = kNoon;
};

TEST_F(VectorDefectV10, AGaugeAndARollingCountAreOneRowHoweverLongTheHistory) {
  Work(30);
  Cost young = Check(60, 250, 25);
  Work(IsFullRun() ? 3000 : 600);
  Cost old = Check(IsFullRun() ? 6060 : 1260, 250, 25);
  EXPECT_EQ(young.gets, 2u);
  EXPECT_EQ(old.gets, 2u);
  EXPECT_EQ(young.scanned, 0u);
  EXPECT_EQ(old.scanned, 0u);
  EXPECT_LE(old.bytes, young.bytes + 40) << "a larger number takes a byte or two more, history none";
}

TEST_F(VectorDefectV10, AMonthOfAProjectIsReadFromHoursNotFromOperations) {
  Work(48);
  CountingView view(partition_.view());
  std::string list = KeyBuilder().Begin(RowKind::kProjectHour).Text("acme").Text("p").str();
  int64_t operations = 0;
  ASSERT_TRUE(view.Scan(list, PrefixEnd(list),
                        [&](std::string_view, std::string_view value) {
                          ProjectHourRow row;
                          EXPECT_TRUE(DecodeRow(value, &row));
                          for (const HourCell& cell : row.cells) operations += cell.count;
                          return true;
                        })
                  .ok());
  EXPECT_EQ(operations, 48 * 12);
  EXPECT_EQ(view.scanned(), 48u);
}

}  // namespace
}  // namespace odometer
