// The thread pool under stress, for ThreadSanitizer: calls from several threads at once, nested calls, changes of the number
// of threads, a fork in between. Ends with 0 when every index was met once.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../../plugins/cpu/src/pool.h"

using namespace dovetail;

static bool job(long n) {
    std::vector<std::atomic<int>> met(n);
    parallel(n, [&](long i, int) {
        met[i]++;
        long inner = 0;
        parallel(3, [&](long j, int) { inner += j; });  // a call from inside runs on its thread alone
        if (inner != 3) met[i] += 100;
    });
    for (auto& m : met)
        if (m != 1) return false;
    return true;
}

// An exception of a task reaches the caller, and the pool goes on.
static bool thrown(long n) {
    try {
        parallel(n, [](long i, int) {
            if (i % 5 == 3) throw std::runtime_error("planned");
        });
    } catch (const std::runtime_error&) {
        return n > 3 && job(n);
    }
    return n <= 3;
}

int main() {
    std::atomic<bool> well{true};
    for (int round = 0; round < 20; round++) {
        set_threads(1 + round % 4);
        std::vector<std::thread> callers;
        for (int c = 0; c < 3; c++)
            callers.emplace_back([&, c] {
                for (int i = 0; i < 200; i++)
                    if (!job(1 + (i * 7 + c) % 40) || !thrown(1 + (i * 7 + c) % 40)) well = false;
            });
        for (auto& t : callers) t.join();
    }
    set_threads(3);
    if (!job(64)) well = false;
    if (pid_t child = fork(); child == 0) {
        _exit(job(64) ? 0 : 1);
    } else {
        int status = 0;
        waitpid(child, &status, 0);
        if (status) well = false;
    }
    std::printf("%s\n", well ? "every index once" : "WRONG");
    return well ? 0 : 1;
}
