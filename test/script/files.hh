// Files: the scripts of a folder. In: a file or a folder. Out: paths of all *.pkt below it, sorted.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace qstack::script {

inline std::vector<std::string> scripts_below(const std::filesystem::path& place) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(place)) return {place.string()};
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(place)) {
    if (entry.is_regular_file() && entry.path().extension() == ".pkt") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace qstack::script
