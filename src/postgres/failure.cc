#include "postgres/failure.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace spillway::postgres {
namespace {

struct Class {
  std::string_view prefix;  // of the SQLSTATE; the longest that matches decides
  ErrorCode code;
  bool retryable;
  std::string_view advice;
};

using enum ErrorCode;

constexpr std::string_view kNotComputable =
    "a row has a value that the query cannot compute with: correct it, or let the query expect it, "
    "as NULLIF(x, 0) does";

constexpr std::array kClasses = {
    Class{"08", kUnavailable, true, ""},
    Class{"0A", kUnsupported, false, ""},
    Class{"22", kInvalidArgument, false, ""},
    Class{"22012", kCorrupt, false, kNotComputable},
    Class{"2201E", kCorrupt, false, kNotComputable},
    Class{"2201F", kCorrupt, false, kNotComputable},
    Class{"22021", kCorrupt, false,
          "text of another encoding: see the database's encoding (SHOW server_encoding)"},
    Class{"22P05", kCorrupt, false,
          "text of another encoding: see the database's encoding (SHOW server_encoding)"},
    Class{"23", kConflict, false, ""},
    Class{"23505", kAlreadyExists, false, ""},
    Class{"23514", kInvalidArgument, false, ""},
    Class{"25006", kUnavailable, true,
          "it is a replica or read-only: name the primary, or several hosts with "
          "?target_session_attrs=read-write"},
    Class{"28", kPermissionDenied, false,
          "see the user, the password and the server's pg_hba.conf"},
    Class{"3D000", kNotFound, false, "create the database, or correct its name"},
    Class{"3F", kNotFound, false, ""},
    Class{"40", kConflict, true, ""},
    Class{"42", kInvalidArgument, false, ""},
    Class{"42501", kPermissionDenied, false, ""},
    Class{"42P01", kNotFound, false, ""},
    Class{"53", kUnavailable, true, ""},
    Class{"53100", kOutOfSpace, false, "the server's disk is full"},
    Class{"53300", kUnavailable, true, "raise max_connections, or put PgBouncer before it"},
    Class{"55", kConflict, false, ""},
    Class{"55P03", kUnavailable, true, "another session holds the lock"},
    Class{"57", kUnavailable, true, ""},
    Class{"57014", kUnavailable, true, "a time limit of the server, or an administrator"},
    Class{"57P04", kNotFound, false, "the database was dropped"},
    Class{"58", kUnavailable, true, ""},
    Class{"XX001", kCorrupt, false, ""},
    Class{"XX002", kCorrupt, false, ""},
};

const Class& ClassOf(std::string_view sqlstate) {
  static constexpr Class kOther{"", kInternal, false, ""};
  const Class* best = &kOther;
  for (const Class& each : kClasses) {
    if (sqlstate.starts_with(each.prefix) && each.prefix.size() > best->prefix.size()) best = &each;
  }
  return *best;
}

std::string FirstWord(std::string_view sql) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  const auto begin = std::find_if(sql.begin(), sql.end(), letter);
  std::string word(begin, std::find_if_not(begin, sql.end(), letter));
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return word;
}

std::string_view PrivilegesFor(std::string_view kind, std::string_view sql) {
  const std::string verb = FirstWord(sql);
  if (kind == "schema") return verb == "CREATE" ? "CREATE" : "USAGE";
  if (kind == "database") return sql.empty() ? "CONNECT" : "CREATE";
  if (kind == "sequence") return "USAGE, SELECT";
  if (kind == "function" || kind == "procedure") return "EXECUTE";
  if (kind == "language" || kind == "type") return "USAGE";
  if (verb == "SELECT" || verb == "COPY") return "SELECT";
  if (verb == "INSERT") return "INSERT";
  if (verb == "UPDATE") return "SELECT, UPDATE";
  if (verb == "DELETE") return "SELECT, DELETE";
  return "SELECT, INSERT, UPDATE, DELETE";
}

std::string QuotedName(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return std::islower(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' ||
           std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
  return plain ? std::string(name) : fmt::format("\"{}\"", name);
}

/// PostgreSQL names the object only in its message. The privilege is not named at all: it follows
/// from the statement. When the message is not in English, the general advice is given.
std::string GrantFor(const Refusal& refusal) {
  static constexpr std::string_view kDenied = "permission denied for ";
  static constexpr std::string_view kOwner = "must be owner of ";
  if (refusal.function == "check_enable_rls") {
    return fmt::format(
        "it would hide rows from {0}: read as a role that sees all (ALTER ROLE {0} BYPASSRLS, or "
        "the owner without FORCE); an export may take what the policy shows, with "
        "row_security: allow",
        QuotedName(refusal.user));
  }
  if (refusal.message.starts_with(kOwner)) {
    return fmt::format("only the owner of {} may: connect as its owner",
                       refusal.message.substr(kOwner.size()));
  }
  const size_t space = refusal.message.find(' ', kDenied.size());
  if (!refusal.message.starts_with(kDenied) || space == std::string_view::npos) {
    return fmt::format("GRANT what the statement needs to {}", QuotedName(refusal.user));
  }
  const std::string_view kind = refusal.message.substr(kDenied.size(), space - kDenied.size());
  std::string_view name = refusal.message.substr(space + 1);
  if (name.starts_with('"') && name.ends_with('"') && name.size() > 1)
    name = name.substr(1, name.size() - 2);
  std::string object(kind == "view" || kind == "relation" ? "table" : kind);
  for (char& c : object) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return fmt::format("run GRANT {} ON {} {} TO {}", PrivilegesFor(kind, refusal.sql), object,
                     QuotedName(name), QuotedName(refusal.user));
}

/// A conflict on a replica has the SQLSTATE of a serialization failure; only its message differs.
constexpr std::string_view kReplay = "conflict with recovery";
constexpr std::string_view kReplayAdvice =
    "a replica ends what keeps it from following its primary: set hot_standby_feedback = on there, "
    "or raise max_standby_streaming_delay";

}  // namespace

Error ClassifyRefusal(const Refusal& refusal) {
  const Class& kind = ClassOf(refusal.sqlstate);
  std::string text(refusal.message);
  std::replace(text.begin(), text.end(), '\n', ' ');
  const std::string advice = refusal.sqlstate == "42501"         ? GrantFor(refusal)
                             : refusal.message.contains(kReplay) ? std::string(kReplayAdvice)
                                                                 : std::string(kind.advice);
  return Error{.code = kind.code,
               .message = fmt::format("{}: {} (SQLSTATE {}){}{}", refusal.server, text,
                                      refusal.sqlstate, advice.empty() ? "" : "; ", advice),
               .retryable = kind.retryable};
}

}  // namespace spillway::postgres
