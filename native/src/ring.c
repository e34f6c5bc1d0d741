// Waiting for and waking the other side of a ring in shared memory. The records themselves are written and read by Interop/Ring*.cs.
//
// A system call costs 0.1 us, a switch of processes on one processor 2 us, waking a processor that sleeps 20 us: what pays is not to be woken at all.
// So a waiter first looks at the word for a while. That is worth nothing, and hurts, where the other side cannot run meanwhile; hence
//  - it spins only while the other side says that it runs, on another processor than this one (both stacked on one: 107 us instead of 4);
//  - never where this thread has only one processor;
//  - no longer than a budget of at most 50 us, which is halved by every wait that was longer than that and doubled by every wait that was not,
//    so that beside busy neighbours or slow tasks it is soon zero, and comes back when answers come quickly again;
//  - in vain for at most 1/64 of the time, whatever the waits are like: a budget that is doubled and halved in turns would else spin before every sleep.
#include "startmethods.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(sm_ring_header) == 256 && offsetof(sm_ring_header, tail) == 128, "the managed side mirrors it");
_Static_assert(sizeof(sm_ring_watch) == 40, "the managed side mirrors it");
_Static_assert(sizeof(sm_ring_wait_state) == 80 && offsetof(sm_ring_wait_state, slept) == 40, "the managed side mirrors it");

#define RECOUNT_PROCESSORS 1024u // waits between two looks at the affinity
#define SMALLEST_BUDGET_NS 1000u
#define VAIN_SHARE 64u         // of the time, at most, is spun in vain
#define MOST_CREDIT_NS 200000  // of vain spinning that was not used: a few full budgets, so that a pause earns no storm
#define MOST_DEBT_NS 1000000   // is paid off in 64 ms

static inline uint32_t load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static inline void store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int32_t futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0) < 0 ? -errno : 0;
}

int32_t sm_ring_create(uint64_t size)
{
    int memory = memfd_create("startmethods-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0)
        return -errno;
    if (ftruncate(memory, (off_t)size) < 0 || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int error = errno;
        close(memory);
        return -error;
    }
    return memory;
}

int32_t sm_ring_map(int32_t memory, uint64_t size, void **address)
{
    int seals = fcntl(memory, F_GET_SEALS);
    off_t present = lseek(memory, 0, SEEK_END); // not fstat: its symbol is newer than GLIBC_2.28
    if (seals < 0 || present < 0)
        return -errno;
    if ((seals & F_SEAL_SHRINK) == 0 || (uint64_t)present != size)
        return -EINVAL;
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    *address = mapped;
    return 0;
}

int32_t sm_ring_unmap(void *address, uint64_t size)
{
    return munmap(address, size) < 0 ? -errno : 0;
}

int32_t sm_ring_discard(int32_t memory, uint64_t offset, uint64_t length)
{
    return fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) < 0 ? -errno : 0;
}

int32_t sm_ring_processor(void)
{
    int processor = sched_getcpu();
    return processor < 0 ? -errno : processor;
}

int32_t sm_ring_wake(uint32_t *word)
{
    return futex(word, FUTEX_WAKE, INT_MAX, NULL);
}

static int ready(const sm_ring_wait_state *state)
{
    for (uint32_t i = 0; i < state->count; i++)
        if (load(state->watches[i].word) != state->watches[i].seen)
            return 1;
    return 0;
}

// Whether somebody who may answer runs, and not where we run.
static int spinning_can_pay(const sm_ring_wait_state *state, uint32_t processor)
{
    for (uint32_t i = 0; i < state->count; i++) {
        if (state->watches[i].peer_cpu == NULL)
            continue;
        uint32_t peer = load(state->watches[i].peer_cpu);
        if (peer != processor && peer != SM_RING_ASLEEP)
            return 1;
    }
    return 0;
}

static int spin(const sm_ring_wait_state *state, uint64_t end)
{
    do {
        uint32_t processor = (uint32_t)sched_getcpu();
        if (!spinning_can_pay(state, processor))
            return ready(state);
        for (int i = 0; i < 32; i++) {
            if (ready(state))
                return 1;
            relax();
        }
    } while (now_ns() < end);
    return 0;
}

static void announce(const sm_ring_wait_state *state, int sleeps)
{
    uint32_t processor = sleeps ? SM_RING_ASLEEP : (uint32_t)sched_getcpu();
    for (uint32_t i = 0; i < state->count; i++) {
        store(state->watches[i].sleeps, (uint32_t)sleeps);
        if (state->watches[i].own_cpu != NULL)
            store(state->watches[i].own_cpu, processor);
    }
}

// Says that it sleeps, looks again, and sleeps. A publisher writes the word first and looks at `sleeps` then, so one of the two sees the other.
static int32_t sleep_until_ready(const sm_ring_wait_state *state)
{
    int32_t result = 0;
    announce(state, 1);
    if (ready(state)) {
        result = 1;
    } else if (state->bells >= 0) {
        struct epoll_event events[16];
        result = epoll_wait(state->bells, events, 16, state->timeout_ms);
        result = result < 0 ? -errno : result > 0 ? 2 : 0;
    } else {
        struct timespec timeout = { state->timeout_ms / 1000, (long)(state->timeout_ms % 1000) * 1000000 };
        result = futex(state->watches[0].word, FUTEX_WAIT, state->watches[0].seen, state->timeout_ms < 0 ? NULL : &timeout);
    }
    announce(state, 0);
    if (ready(state))
        return 1;
    return result == -EINTR || result == -EAGAIN ? 2 : result == -ETIMEDOUT ? 0 : result;
}

static int one_processor(sm_ring_wait_state *state)
{
    if (state->processors == 0 || state->waits % RECOUNT_PROCESSORS == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        int known = sched_getaffinity(0, sizeof set, &set) == 0; // EINVAL: more processors than fit, so not one
        state->processors = known ? (uint32_t)CPU_COUNT(&set) : 2;
    }
    return state->processors == 1;
}

static void adapt(sm_ring_wait_state *state, uint64_t waited)
{
    if (waited <= state->max_spin_ns) {
        uint32_t larger = state->spin_ns < SMALLEST_BUDGET_NS ? SMALLEST_BUDGET_NS : state->spin_ns * 2;
        state->spin_ns = larger > state->max_spin_ns ? state->max_spin_ns : larger;
    } else {
        state->spin_ns = state->spin_ns / 2 < SMALLEST_BUDGET_NS ? 0 : state->spin_ns / 2;
    }
}

// Whether a full budget may be spun in vain now. Time earns it, spinning that found nothing uses it; one that was interrupted by others leaves a debt.
static int may_spin(sm_ring_wait_state *state, uint64_t now)
{
    int64_t earned = state->seen_ns == 0 ? MOST_CREDIT_NS : (int64_t)((now - state->seen_ns) / VAIN_SHARE);
    state->seen_ns = now;
    state->credit_ns = state->credit_ns + earned > MOST_CREDIT_NS ? MOST_CREDIT_NS : state->credit_ns + earned;
    return state->credit_ns >= (int64_t)state->spin_ns;
}

static void spun_in_vain(sm_ring_wait_state *state, uint64_t spun)
{
    state->vain_ns += spun;
    state->credit_ns = state->credit_ns - (int64_t)spun < -MOST_DEBT_NS ? -MOST_DEBT_NS : state->credit_ns - (int64_t)spun;
}

int32_t sm_ring_wait(sm_ring_wait_state *state)
{
    if (state->size != sizeof *state || (state->bells < 0 && state->count != 1))
        return -EINVAL;
    if (ready(state))
        return 1;
    state->waits++;
    if (state->max_spin_ns == 0 || one_processor(state)) {
        state->slept++;
        return sleep_until_ready(state);
    }
    uint64_t start = now_ns();
    int spins = state->spin_ns > 0 && may_spin(state, start);
    int32_t result = spins ? spin(state, start + state->spin_ns) : 0;
    if (result != 0) {
        state->spun++;
    } else {
        if (spins)
            spun_in_vain(state, now_ns() - start);
        state->slept++;
        result = sleep_until_ready(state);
    }
    adapt(state, now_ns() - start);
    return result;
}

int32_t sm_ring_wait_for_room(sm_ring_header *ring, uint32_t seen, int32_t timeout_ms)
{
    struct timespec timeout = { timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000 };
    store(&ring->producer_waits, 1);
    int32_t result = load(&ring->tail) == seen ? futex(&ring->tail, FUTEX_WAIT, seen, &timeout) : 0;
    store(&ring->producer_waits, 0);
    return result == -EAGAIN || result == -EINTR || result == -ETIMEDOUT ? 0 : result;
}

int32_t sm_bell_create(void)
{
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell < 0 ? -errno : bell;
}

int32_t sm_bell_ring(int32_t bell)
{
    // EAGAIN: it rang 2^64 - 2 times, or a hostile worker filled its own bell.
    return eventfd_write(bell, 1) < 0 && errno != EAGAIN ? -errno : 0;
}

int32_t sm_bells_create(void)
{
    int bells = epoll_create1(EPOLL_CLOEXEC);
    return bells < 0 ? -errno : bells;
}

int32_t sm_bells_add(int32_t bells, int32_t bell)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    return epoll_ctl(bells, EPOLL_CTL_ADD, bell, &event) < 0 ? -errno : 0;
}
