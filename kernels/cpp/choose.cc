#include <cstring>

#include "kernels.h"

namespace jaxbreed {

const Kernels* find_kernels(const char* name) {
  const bool any = *name == '\0';
#if defined(JAXBREED_X86)
  if ((any || !std::strcmp(name, "avx512")) && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("bmi2")) {
    return avx512_kernels();
  }
  if ((any || !std::strcmp(name, "avx2")) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
    return avx2_kernels();
  }
#endif
  return any || !std::strcmp(name, "baseline") ? baseline_kernels() : nullptr;
}

}  // namespace jaxbreed
