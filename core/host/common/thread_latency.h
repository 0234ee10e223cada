/* Latency of threads that others wait for: they get a processor soon, whatever else computes. */
#ifndef PALENCA_HOST_COMMON_THREAD_LATENCY_H
#define PALENCA_HOST_COMMON_THREAD_LATENCY_H

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The least that the scheduler takes: a tenth of a millisecond. */
#define PROMPT_SLICE_NS 100000

/* The calling thread asks for short turns on a processor. It gets no more of them in all, but where
 * one that computes would have its turn of some milliseconds first, it is let in at once.
 * Linux 6.12 and later do so, for everybody; elsewhere nothing changes. */
static inline void request_low_latency(void) {
  struct { /* as the first version of the kernel's interface has it */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } schedule = {.size = sizeof schedule};
  if (syscall(SYS_sched_getattr, 0, &schedule, sizeof schedule, 0) == 0 &&
      schedule.policy == SCHED_OTHER) {
    schedule.runtime = PROMPT_SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &schedule, 0);
  }
}

#endif
