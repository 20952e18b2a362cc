// tests/unit/state/overlay_view.h: OverlayView, a view with one row that is another, or is not there: drift without a
// copy of the store. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "state/store.h"

namespace odometer {

class OverlayView : public View {
 public:
  // `key` must be in the view.
  OverlayView(std::shared_ptr<const View> view, std::string key, std::optional<std::string> value)
      : view_(std::move(view)), key_(std::move(key)), value_(std::move(value)) {}

  const MetaRow& meta() const override { return view_->meta(); }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    if (key == key_) return value_;
    return view_->Get(key);
  }
  Status Scan(std::string_view begin, std::string_view end,
              const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return view_->Scan(begin, end, Changed(row));
  }
  Status ScanBack(std::string_view begin, std::string_view end,
                  const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return view_->ScanBack(begin, end, Changed(row));
  }

 private:
  std::function<bool(std::string_view, std::string_view)> Changed(
      const std::function<bool(std::string_view, std::string_view)>& row) const {
    return [this, &row](std::string_view key, std::string_view value) {
      if (key != key_) return row(key, value);
      return value_.has_value() ? row(key, *value_) : true;
    };
  }

  std::shared_ptr<const View> view_;
  std::string key_;
  std::optional<std::string> value_;
};

}  // namespace odometer
