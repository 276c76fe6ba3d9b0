// Which instruction set serves: the first of the build's that the processor has.
#include <cstdlib>
#include <cstring>

#include "kernels/table.h"

namespace dovetail {

#define SET(name)                \
    namespace name {             \
    const InstructionSet* set(); \
    }
#ifdef WITH_AVX512
SET(avx512)
#endif
#ifdef WITH_AVX2
SET(avx2)
#endif
#ifdef WITH_BASELINE
SET(baseline)
#endif

const InstructionSet* instruction_set() {
    static const InstructionSet* chosen = []() -> const InstructionSet* {
        const char* only = std::getenv("DOVETAIL_CPU_ISA");
        auto wanted = [&](const char* name) { return !only || !*only || !std::strcmp(only, name); };
        (void)wanted;
#ifdef WITH_AVX512
        __builtin_cpu_init();
        if (wanted("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
            return avx512::set();
#endif
#ifdef WITH_AVX2
        __builtin_cpu_init();
        if (wanted("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::set();
#endif
#ifdef WITH_BASELINE
        if (wanted("baseline")) return baseline::set();
#endif
        return nullptr;
    }();
    return chosen;
}

}  // namespace dovetail
