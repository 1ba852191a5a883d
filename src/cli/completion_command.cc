#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/messages.h"
#include "cli/version.h"

namespace spillway::cli {
namespace {

void ForEachCommand(const CLI::App& app, const std::string& path,
                    const std::function<void(const std::string& path, const CLI::App&)>& visit) {
  visit(path, app);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    ForEachCommand(*command, path + " " + command->get_name(), visit);
  }
}

/// What may follow a command: its commands, then its flags and those of the program.
std::string Words(const CLI::App& program, const CLI::App& command) {
  std::string words;
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    words += below->get_name() + " ";
  }
  const auto add_flags = [&words](const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
    }
  };
  add_flags(command);
  if (&command != &program) add_flags(program);
  if (!words.empty()) words.pop_back();
  return words;
}

std::string BashCompletion(const CLI::App& program) {
  std::string script =
      R"(# bash completion of spillway; zsh: run `autoload -U bashcompinit && bashcompinit` first.
_spillway() {
  local command=spillway word words
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command $word" in
)";
  std::string cases;
  ForEachCommand(program, "spillway", [&](const std::string& path, const CLI::App& command) {
    if (&command != &program) script += fmt::format("      '{}') command='{}' ;;\n", path, path);
    cases += fmt::format("    '{}') words='{}' ;;\n", path, Words(program, command));
  });
  script += "    esac\n  done\n  case \"$command\" in\n" + cases + R"(  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _spillway spillway)";
  return script;
}

/// Text as roff takes it: no line starts with a control character, backslashes and hyphens are
/// themselves.
std::string Roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (escaped.empty() || escaped.back() == '\n')) escaped += "\\&";
    if (c == '\\' || c == '-') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string ManualPage(const CLI::App& program) {
  std::string page = fmt::format(
      ".TH SPILLWAY 1 \"\" \"spillway {}\" \"User Commands\"\n.SH NAME\nspillway \\- {}\n",
      kVersion, Roff(program.get_description()));
  page += ".SH SYNOPSIS\n.B spillway\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n";
  ForEachCommand(program, "spillway", [&](const std::string& path, const CLI::App& command) {
    page += &command == &program
                ? ".SH OPTIONS\n"
                : fmt::format(".SH {}\n{}\n", Roff(path), Roff(command.get_description()));
    for (const CLI::Option* option : command.get_options()) {
      page += fmt::format(".TP\n.B {}\n{}\n", Roff(option->get_name(true)),
                          Roff(option->get_description()));
    }
    if (!command.get_footer().empty())
      page += fmt::format(".PP\n.nf\n{}\n.fi\n", Roff(command.get_footer()));
  });
  return page + ".SH FILES\n.TP\n.B spillway.yaml\nthe configuration; see spillway init";
}

}  // namespace

void AddCompletion(CLI::App& program, const Invocation& /*invocation*/, Action& action) {
  const auto add = [&](const char* name, const char* help, const char* footer,
                       std::string (*print)(const CLI::App&)) {
    program.add_subcommand(name, help)->footer(footer)->callback([&program, &action, print] {
      action = [&program, print]() -> Outcome {
        PrintText(print(program));
        return ExitCode::kSuccess;
      };
    });
  };
  add("completion", "print shell completion", "Example:\n  source <(spillway completion)",
      BashCompletion);
  add("man", "print the manual page", "Example:\n  spillway man | man -l -", ManualPage);
}

}  // namespace spillway::cli
