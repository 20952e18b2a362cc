#include "tests/compat/append_only.h"

#include <flatbuffers/reflection.h>

namespace odometer::testing {

namespace {

using reflection::Enum;
using reflection::EnumVal;
using reflection::Field;
using reflection::Object;
using reflection::Schema;
using reflection::Type;

// A type in words, with the names instead of the indexes, which differ from one schema to the next.
std::string Words(const Schema& schema, const Type* type) {
  if (type == nullptr) return "none";
  auto base_of = [](reflection::BaseType base) { return std::string(reflection::EnumNameBaseType(base)); };
  std::string words = base_of(type->base_type());
  bool is_list = type->base_type() == reflection::Vector || type->base_type() == reflection::Array;
  if (is_list) words += " of " + base_of(type->element());
  if (type->base_type() == reflection::Array) words += " x " + std::to_string(type->fixed_length());
  if (type->index() < 0) return words;
  bool is_object = (is_list ? type->element() : type->base_type()) == reflection::Obj;
  uint32_t index = static_cast<uint32_t>(type->index());
  return words + " " + (is_object ? schema.objects()->Get(index)->name() : schema.enums()->Get(index)->name())->str();
}

template <class T>
const T* Find(const flatbuffers::Vector<flatbuffers::Offset<T>>* items, const flatbuffers::String* name) {
  if (items == nullptr) return nullptr;
  for (const T* item : *items) {
    if (item->name()->string_view() == name->string_view()) return item;
  }
  return nullptr;
}

class Gate {
 public:
  Gate(const Schema& released, const Schema& current) : released_(released), current_(current) {}

  std::vector<std::string> Run() {
    CompareRoots();
    for (const Object* object : *released_.objects()) CompareObject(*object);
    for (const Enum* item : *released_.enums()) CompareEnum(*item);
    return std::move(breaks_);
  }

 private:
  void Break(std::string sentence) { breaks_.push_back(std::move(sentence)); }

  template <class T>
  void Same(const std::string& where, const char* what, const T& released, const T& current) {
    if (released == current) return;
    if constexpr (std::is_same_v<T, std::string>) {
      Break(where + ": its " + what + " was '" + released + "' and is now '" + current + "'");
    } else {
      Break(where + ": its " + what + " was " + std::to_string(released) + " and is now " + std::to_string(current));
    }
  }

  static std::string TextOf(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }
  static std::string RootOf(const Schema& schema) {
    return schema.root_table() == nullptr ? "" : schema.root_table()->name()->str();
  }

  void CompareRoots() {
    Same("the schema", "root type", RootOf(released_), RootOf(current_));
    Same("the schema", "file identifier", TextOf(released_.file_ident()), TextOf(current_.file_ident()));
  }

  void CompareObject(const Object& released) {
    std::string name = released.name()->str();
    const Object* current = Find(current_.objects(), released.name());
    if (current == nullptr) return Break(name + ": deleted or renamed");
    Same(name, "being a struct", released.is_struct(), current->is_struct());
    for (const Field* field : *released.fields()) CompareField(name, *field, Find(current->fields(), field->name()));
    if (released.is_struct()) {
      Same(name, "number of fields", released.fields()->size(), current->fields()->size());
      Same(name, "size", released.bytesize(), current->bytesize());
      Same(name, "alignment", released.minalign(), current->minalign());
      return;
    }
    for (const Field* field : *current->fields()) {
      bool is_new = Find(released.fields(), field->name()) == nullptr;
      if (!is_new || !field->required()) continue;
      Break(name + "." + field->name()->str() + ": new and required, old bytes lack it");
    }
  }

  void CompareField(const std::string& object, const Field& released, const Field* current) {
    std::string name = object + "." + released.name()->str();
    if (current == nullptr) return Break(name + ": deleted or renamed");
    Same(name, "id", released.id(), current->id());
    Same(name, "place", released.offset(), current->offset());
    Same(name, "type", Words(released_, released.type()), Words(current_, current->type()));
    Same(name, "default", released.default_integer(), current->default_integer());
    Same(name, "default", released.default_real(), current->default_real());
    Same(name, "being optional", released.optional(), current->optional());
    Same(name, "being required", released.required(), current->required());
    if (released.deprecated() && !current->deprecated()) Break(name + ": deprecated once, it must stay so");
  }

  void CompareEnum(const Enum& released) {
    std::string name = released.name()->str();
    const Enum* current = Find(current_.enums(), released.name());
    if (current == nullptr) return Break(name + ": deleted or renamed");
    Same(name, "being a union", released.is_union(), current->is_union());
    Same(name, "underlying type", Words(released_, released.underlying_type()),
         Words(current_, current->underlying_type()));
    for (const EnumVal* value : *released.values()) CompareValue(name, *value, Find(current->values(), value->name()));
  }

  void CompareValue(const std::string& item, const EnumVal& released, const EnumVal* current) {
    std::string name = item + "." + released.name()->str();
    if (current == nullptr) return Break(name + ": deleted or renamed");
    Same(name, "number", released.value(), current->value());
    Same(name, "type", Words(released_, released.union_type()), Words(current_, current->union_type()));
  }

  const Schema& released_;
  const Schema& current_;
  std::vector<std::string> breaks_;
};

bool IsSchema(std::string_view bfbs) {
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bfbs.data()), bfbs.size());
  return reflection::VerifySchemaBuffer(verifier);
}

}  // namespace

std::vector<std::string> AppendOnlyBreaks(std::string_view released_bfbs, std::string_view current_bfbs) {
  if (!IsSchema(released_bfbs)) return {"the released schema is not a binary schema"};
  if (!IsSchema(current_bfbs)) return {"the current schema is not a binary schema"};
  return Gate(*reflection::GetSchema(released_bfbs.data()), *reflection::GetSchema(current_bfbs.data())).Run();
}

}  // namespace odometer::testing
