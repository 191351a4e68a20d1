// Sharing tasks out over XLA's own threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>

namespace jaxbreed {

// Calls work(worker, task) for every task from 0 to `tasks`, by the caller and at most `workers` - 1 helpers, each of
// them one worker. `schedule(f)` must run f() on some thread, now or later. The caller works too and waits only for
// tasks that a helper has begun, so that nothing is stuck when all threads of the pool are busy, perhaps with callers
// like this one. What `work` throws is thrown again here, once nobody works any more.
template <typename Schedule, typename Work>
void share_out(int64_t tasks, int workers, const Schedule& schedule, const Work& work) {
  struct Shared {
    std::atomic<int64_t> next{0};
    std::atomic<int> workers{1};
    int64_t done = 0;
    std::exception_ptr failure;
    std::mutex mutex;
    std::condition_variable all_done;
  };
  const auto shared = std::make_shared<Shared>();
  // A helper that comes too late finds no task and touches nothing of the caller's.
  const auto run = [shared, tasks, &work](int worker) {
    int64_t done = 0;
    std::exception_ptr failure;
    for (int64_t task; (task = shared->next.fetch_add(1)) < tasks; ++done) {
      try {
        if (!failure) work(worker, task);
      } catch (...) {
        failure = std::current_exception();
      }
    }
    if (done == 0) return;
    const std::lock_guard<std::mutex> lock(shared->mutex);
    shared->done += done;
    if (failure) shared->failure = failure;
    if (shared->done == tasks) shared->all_done.notify_one();
  };
  const int64_t helpers = (tasks < workers ? tasks : workers) - 1;
  for (int64_t i = 0; i < helpers; ++i) schedule([run, shared] { run(shared->workers.fetch_add(1)); });
  run(0);
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->all_done.wait(lock, [&] { return shared->done == tasks; });
  if (shared->failure) std::rethrow_exception(shared->failure);
}

}  // namespace jaxbreed
