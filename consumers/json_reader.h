// consumers/json_reader.h: JsonReader, strict JSON read once from front to back; the only file that knows simdjson.
//
//   JsonReader reader(body);
//   auto read_field = [&](std::string_view key, JsonReader::Value value) { return reader.Skip(value); };
//   auto read_item = [&](JsonReader::Value item) { return reader.ForEachField(item, read_field); };
//   bool is_json = reader.Open(0, body.size()) && reader.ForEachItem(read_item);
//
// simdjson's on-demand front end checks only what is looked at. Here everything is: each function returns false as soon
// as the text is not JSON (or is nested deeper than 32), and after that nothing may be read. So each value must be
// handed to exactly one of the reading functions, Skip() if it is not wanted. Thread-compatible.
#pragma once

#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>

namespace odometer {

inline constexpr int kJsonDepthMax = 32;

class JsonReader {
 public:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;
  enum class Kind { kObject, kArray, kText, kNumber, kBool, kNull, kBroken };

  // Copies the body. `extra_bytes` more than the body's length can be kept with Keep().
  explicit JsonReader(std::string_view body, size_t extra_bytes = 0);

  // Starts on the document in these bytes of the body: all of it, or one line.
  // `depth` counts as used up already.
  bool Open(size_t begin, size_t size, int depth = 0);
  // Where in the body the text stops being JSON; if it is only too deep, about where that is. Slow.
  size_t ErrorOffset() const;

  // The root itself if it is an object, each of its elements if it is an array; anything else is false, with
  // is_scalar(). Checks that nothing follows.
  template <class Visit>
  bool ForEachItem(Visit&& visit);
  bool is_scalar() const { return is_scalar_; }
  size_t body_bytes() const { return body_bytes_; }

  Kind KindOf(Value value);
  // visit(key, value) -> bool. The key lives until the next call of the reader.
  template <class Visit>
  bool ForEachField(Value object, Visit&& visit);
  // The same in two steps. With a tag: the text of the field that says how to read the others, wherever in the object
  // it is; empty if there is no such field or it is not a text without escapes.
  bool Enter(Value object, Object* entered) { return At(object) && !object.get_object().get(*entered); }
  bool Enter(Value object, std::string_view tag_field, Object* entered, std::string_view* tag);
  template <class Visit>
  bool ForEachField(Object& entered, Visit&& visit);
  // visit(value) -> bool
  template <class Visit>
  bool ForEachElement(Value array, Visit&& visit);
  // Unescaped; lives as long as what TakeStorage() gives.
  bool Text(Value text, std::string_view* out);
  // The digits as they stand: a valid JSON number.
  bool Number(Value number, std::string_view* out);
  bool Bool(Value value, bool* out);
  // The object's own text as posted; lives as long as what TakeStorage() gives.
  bool Slice(Value object, std::string_view* out);
  bool Skip(Value value);

  // A copy in the storage.
  std::string_view Keep(std::string_view text);
  // Puts other text in the place of a kept one, not longer than it was.
  void Replace(std::string_view* kept, std::string_view text);

  // What the texts and slices point into.
  struct Storage {
    std::unique_ptr<char[]> body;
    std::unique_ptr<char[]> texts;
  };
  Storage TakeStorage() { return std::move(storage_); }

 private:
  bool At(Value value);  // remembers where; false if too deep
  bool IsAtEnd();
  bool IsSound() const;  // what is open is JSON; slow

  Storage storage_;
  size_t body_bytes_ = 0;
  size_t texts_used_ = 0;
  size_t texts_bytes_ = 0;
  size_t open_begin_ = 0;
  size_t open_size_ = 0;
  size_t last_offset_ = 0;
  int depth_ = 0;
  bool is_scalar_ = false;
  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
};

// Whether the text, without a space around it, is a JSON object that JsonReader takes at this depth of another one.
bool IsJsonObject(std::string_view text, int depth);

template <class Visit>
bool JsonReader::ForEachItem(Visit&& visit) {
  simdjson::ondemand::json_type type;
  if (document_.type().get(type)) return false;
  bool is_list = type == simdjson::ondemand::json_type::array;
  is_scalar_ = !is_list && type != simdjson::ondemand::json_type::object && IsSound();
  Value root;  // a scalar is no value
  if (document_.get_value().get(root)) return false;
  return (is_list ? ForEachElement(root, visit) : visit(root)) && IsAtEnd();
}

template <class Visit>
bool JsonReader::ForEachField(Value value, Visit&& visit) {
  Object object;
  return Enter(value, &object) && ForEachField(object, visit);
}

template <class Visit>
bool JsonReader::ForEachField(Object& object, Visit&& visit) {
  ++depth_;
  for (auto result : object) {
    simdjson::ondemand::field field;
    std::string_view key;
    if (std::move(result).get(field) || field.unescaped_key().get(key)) return false;
    if (!visit(key, field.value())) return false;
  }
  --depth_;
  return true;
}

template <class Visit>
bool JsonReader::ForEachElement(Value value, Visit&& visit) {
  simdjson::ondemand::array array;
  if (!At(value) || value.get_array().get(array)) return false;
  ++depth_;
  for (auto result : array) {
    Value element;
    if (std::move(result).get(element) || !visit(element)) return false;
  }
  --depth_;
  return true;
}

}  // namespace odometer
