// play FILE|FOLDER… [--verbose]: plays packet scripts; what `npm run script` starts.
// Out: one line per script on stdout, `ok` or `FAILED` with its path and what it shows, and of a failure where the two
// parted; with --verbose the conversation of each. Exit 1 when one failed or none was found, 2 on wrong usage.
#include <cstdio>
#include <cstring>

#include "test/script/files.hh"
#include "test/script/reader.hh"
#include "test/script/runner.hh"

namespace {

bool play(const std::string& path, bool verbose) {
  using namespace qstack::script;
  Outcome outcome;
  std::string says;
  try {
    const Script script = read_script_file(path);
    says = script.says;
    outcome = run_script(script);
  } catch (const Fault& fault) {
    outcome.fault = fault.what;
  }
  const bool well = outcome.fault.empty();
  std::printf("%s %s\t%s\n", well ? "ok" : "FAILED", path.c_str(), says.c_str());
  if (verbose) std::printf("%s", outcome.conversation.c_str());
  if (!well) std::printf("%s\n", outcome.fault.c_str());
  return well;
}

}  // namespace

int main(int count, char** arguments) {
  bool verbose = false, well = true;
  std::vector<std::string> paths;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--verbose") == 0) {
      verbose = true;
      continue;
    }
    if (!std::filesystem::exists(arguments[i])) {
      std::fprintf(stderr, "%s: no such file or folder; give scripts (*.pkt) or folders of them\n", arguments[i]);
      return 2;
    }
    const auto found = qstack::script::scripts_below(arguments[i]);
    paths.insert(paths.end(), found.begin(), found.end());
  }
  if (paths.empty()) std::fprintf(stderr, "no script found; give scripts (*.pkt) or folders of them\n");
  for (const std::string& path : paths) well = play(path, verbose) && well;
  return well && !paths.empty() ? 0 : 1;
}
