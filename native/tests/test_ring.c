// The waiting and waking of rings: no wake-up is lost, whoever sleeps and spins; the memory cannot be pulled away.
#include "startmethods.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#define SIZE (64u * 1024)

static sm_ring_header *mapped_pair(void)
{
    int memory = sm_ring_create(SIZE);
    CHECK(memory >= 0);
    void *address = NULL;
    CHECK_EQUAL(0, sm_ring_map(memory, SIZE, &address));
    return address;
}

static sm_ring_wait_state state_for(sm_ring_watch *watch, uint32_t spin_ns)
{
    return (sm_ring_wait_state){ .size = sizeof(sm_ring_wait_state), .count = 1, .watches = watch, .bells = -1, .timeout_ms = -1, .max_spin_ns = spin_ns, .spin_ns = spin_ns };
}

static sm_ring_watch watch_of(sm_ring_header *ring)
{
    return (sm_ring_watch){ .word = &ring->head, .sleeps = &ring->consumer_sleeps, .peer_cpu = &ring->producer_cpu, .seen = 0 };
}

static void publish(sm_ring_header *ring)
{
    __atomic_store_n(&ring->producer_cpu, (uint32_t)sm_ring_processor(), __ATOMIC_RELAXED);
    __atomic_add_fetch(&ring->head, 8, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->consumer_sleeps, __ATOMIC_SEQ_CST))
        CHECK_EQUAL(0, sm_ring_wake(&ring->head));
}

#define TURNS 20000

static void *answer(void *argument)
{
    sm_ring_header *rings = argument;
    sm_ring_watch watch = watch_of(&rings[0]);
    sm_ring_wait_state state = state_for(&watch, 50000);
    for (int i = 0; i < TURNS; i++) {
        while (sm_ring_wait(&state) != 1) { }
        watch.seen += 8;
        publish(&rings[1]);
    }
    return NULL;
}

static void no_wake_up_is_lost_between_two_sides_that_spin_and_sleep(void)
{
    sm_ring_header *rings = mapped_pair();
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, answer, rings));
    sm_ring_watch watch = watch_of(&rings[1]);
    sm_ring_wait_state state = state_for(&watch, 0);
    for (int i = 0; i < TURNS; i++) {
        publish(&rings[0]);
        while (sm_ring_wait(&state) != 1) { }
        watch.seen += 8;
    }
    CHECK_EQUAL(0, pthread_join(thread, NULL));
}

static void the_memory_cannot_be_truncated_and_other_memory_is_refused(void)
{
    int memory = sm_ring_create(SIZE);
    void *address = NULL;
    CHECK(ftruncate(memory, 0) < 0 && errno == EPERM);
    CHECK(ftruncate(memory, SIZE * 2) < 0 && errno == EPERM);
    CHECK_EQUAL(-EINVAL, sm_ring_map(memory, SIZE * 2, &address));
    int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK_EQUAL(0, ftruncate(unsealed, SIZE));
    CHECK_EQUAL(-EINVAL, sm_ring_map(unsealed, SIZE, &address));
    CHECK_EQUAL(-EBADF, sm_ring_map(-1, SIZE, &address));
}

static void discarded_pages_read_as_zero(void)
{
    int memory = sm_ring_create(SIZE);
    void *address = NULL;
    CHECK_EQUAL(0, sm_ring_map(memory, SIZE, &address));
    char *bytes = address;
    memset(bytes, 7, SIZE);
    CHECK_EQUAL(0, sm_ring_discard(memory, 4096, 8192));
    CHECK_EQUAL(7, bytes[4095]);
    CHECK_EQUAL(0, bytes[4096]);
    CHECK_EQUAL(7, bytes[4096 + 8192]);
    CHECK_EQUAL(0, sm_ring_unmap(address, SIZE));
}

static void *ring_after_a_while(void *argument)
{
    struct timespec pause = { 0, 20 * 1000 * 1000 };
    nanosleep(&pause, NULL);
    CHECK_EQUAL(0, sm_bell_ring(*(int *)argument));
    return NULL;
}

static void a_bell_wakes_the_one_who_waits_for_many_and_a_timeout_is_kept(void)
{
    sm_ring_header *rings = mapped_pair();
    sm_ring_watch watches[2] = { watch_of(&rings[0]), watch_of(&rings[1]) };
    sm_ring_wait_state state = state_for(watches, 50000);
    state.count = 2;
    state.bells = sm_bells_create();
    int bell = sm_bell_create();
    CHECK_EQUAL(0, sm_bells_add(state.bells, bell));
    state.timeout_ms = 10;
    CHECK_EQUAL(0, sm_ring_wait(&state));
    state.timeout_ms = -1;
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, ring_after_a_while, &bell));
    CHECK_EQUAL(2, sm_ring_wait(&state));
    CHECK_EQUAL(0, pthread_join(thread, NULL));
    CHECK_EQUAL(0, rings[0].consumer_sleeps);
    state.timeout_ms = 0;
    CHECK_EQUAL(0, sm_ring_wait(&state)); // the bell was heard once and need not be emptied
    publish(&rings[1]);
    CHECK_EQUAL(1, sm_ring_wait(&state));
}

static void spinning_is_given_up_when_nothing_comes(void)
{
    sm_ring_header *ring = mapped_pair();
    sm_ring_watch watch = watch_of(ring);
    ring->producer_cpu = 4000; // somewhere else
    sm_ring_wait_state state = state_for(&watch, 50000);
    state.timeout_ms = 1;
    for (int i = 0; i < 10; i++)
        CHECK_EQUAL(0, sm_ring_wait(&state));
    CHECK(state.spin_ns == 0 || state.processors == 1);
    CHECK_EQUAL(10, state.slept);
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// A budget that every other wait restores: quick answers and slow ones in turn.
static void spinning_in_vain_takes_a_small_part_of_the_time_whatever_the_waits_are_like(void)
{
    sm_ring_header *ring = mapped_pair();
    sm_ring_watch watch = watch_of(ring);
    ring->producer_cpu = 4000; // somewhere else
    sm_ring_wait_state state = state_for(&watch, 50000);
    state.timeout_ms = 1;
    uint64_t start = now_ns();
    for (int i = 0; i < 400; i++) {
        state.spin_ns = 50000;
        CHECK_EQUAL(0, sm_ring_wait(&state));
    }
    uint64_t elapsed = now_ns() - start;
    CHECK(state.vain_ns > 0 || state.processors == 1);
    CHECK(state.vain_ns < elapsed / 64 + 5 * 1000 * 1000); // 20 ms without the bound; 5 ms for being interrupted
}

static void a_producer_is_told_when_there_is_room_again(void)
{
    sm_ring_header *ring = mapped_pair();
    CHECK_EQUAL(0, sm_ring_wait_for_room(ring, 0, 5));
    ring->tail = 8;
    CHECK_EQUAL(0, sm_ring_wait_for_room(ring, 0, 60 * 1000));
    CHECK_EQUAL(0, ring->producer_waits);
}

int main(void)
{
    static const sm_test_case cases[] = {
        CASE(no_wake_up_is_lost_between_two_sides_that_spin_and_sleep),
        CASE(the_memory_cannot_be_truncated_and_other_memory_is_refused),
        CASE(discarded_pages_read_as_zero),
        CASE(a_bell_wakes_the_one_who_waits_for_many_and_a_timeout_is_kept),
        CASE(spinning_is_given_up_when_nothing_comes),
        CASE(spinning_in_vain_takes_a_small_part_of_the_time_whatever_the_waits_are_like),
        CASE(a_producer_is_told_when_there_is_room_again),
    };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}
