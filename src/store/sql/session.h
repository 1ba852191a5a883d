#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

/// What the SQL databases behind job stores have in common.
namespace spillway::store::sql {

/// What a transaction must survive once its call has returned. Either way transactions are atomic,
/// and a lost one takes all later ones with it, never an earlier one.
enum class Durability {
  kProcess,  ///< The end of this process; a loss of power may undo it.
  kDisk,     ///< Loss of power.
};

/// A parameter of a statement: an integer or text, or a null of one of them. Text is not copied.
class Value {
 public:
  // NOLINTBEGIN(google-explicit-constructor): statements are given plain values.
  Value(std::integral auto integer) : integer_(static_cast<int64_t>(integer)) {}
  Value(Timestamp time) : integer_(time.time_since_epoch().count()) {}
  Value(std::string_view text) : is_text_(true), text_(text) {}
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(const char* text) : Value(std::string_view(text)) {}
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value(T())) {
    is_null_ = !value.has_value();
  }
  // NOLINTEND(google-explicit-constructor)

  bool is_null() const { return is_null_; }
  bool is_text() const { return is_text_; }
  int64_t integer() const { return integer_; }
  std::string_view text() const { return text_; }

 private:
  bool is_null_ = false;
  bool is_text_ = false;
  int64_t integer_ = 0;
  std::string_view text_;
};

/// One run of a statement: its rows, column by column in their order.
class Cursor {
 public:
  virtual ~Cursor() = default;

  /// Steps to the next row; false after the last.
  virtual Result<bool> Next() = 0;

  /// Steps to the end; returns how many rows the statement inserted, updated or deleted.
  virtual Result<int64_t> Run() = 0;

  /// The next column of the row. Text lives until the next step.
  virtual int64_t Integer() = 0;
  virtual std::string_view Text() = 0;
  virtual std::optional<int64_t> IntegerOrNull() = 0;
  virtual std::optional<std::string_view> TextOrNull() = 0;

  Timestamp Time() { return Timestamp(std::chrono::microseconds(Integer())); }
  std::optional<Timestamp> TimeOrNull() {
    const std::optional<int64_t> time = IntegerOrNull();
    if (!time) return std::nullopt;
    return Timestamp(std::chrono::microseconds(*time));
  }
};

/// What two transactions must not do at the same time.
enum class Turn {
  kJob,    ///< Change a job.
  kTask,   ///< Create a run of a task.
  kGroup,  ///< Add a job to a group, or admit one.
};

/// A connection to a database, in a transaction. Used by one thread at a time.
class Session {
 public:
  virtual ~Session() = default;

  /// Begins a statement. `sql` is a literal; its parameters are `?`, or `?1`, `?2`, … where one is
  /// meant twice. Two runs of the same text must not overlap. Errors wait until the first step.
  virtual std::unique_ptr<Cursor> Begin(std::string_view sql, std::span<const Value> values) = 0;

  /// Waits until no other transaction has this turn, and keeps it to the end of this one. A task's
  /// is taken before its group's, a job's before anything of its chunks is changed.
  virtual Result<> Take(Turn turn, std::string_view name) = 0;
};

/// One run of a statement of a session.
class Query final : public Cursor {
 public:
  template <class... Values>
  Query(Session& session, std::string_view sql, const Values&... values)
      : cursor_(session.Begin(sql, std::array<Value, sizeof...(Values)>{Value(values)...})) {}

  Result<bool> Next() override { return cursor_->Next(); }
  Result<int64_t> Run() override { return cursor_->Run(); }
  int64_t Integer() override { return cursor_->Integer(); }
  std::string_view Text() override { return cursor_->Text(); }
  std::optional<int64_t> IntegerOrNull() override { return cursor_->IntegerOrNull(); }
  std::optional<std::string_view> TextOrNull() override { return cursor_->TextOrNull(); }

 private:
  std::unique_ptr<Cursor> cursor_;
};

}  // namespace spillway::store::sql
