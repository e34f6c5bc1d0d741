// Reference: what the channel between two processes can do. usage: ipc pipe [cpu cpu [ms]] | arena [MB] | tasks
// pipe: round trip of 16 bytes over two pipes, each side pinned to its CPU, in us; with a rest of so many milliseconds before each. arena: GB/s through a shared mapping that is
// written once and read in place, from the request to the reply. tasks: 16-byte echoes per second, two workers, 32 a write, 64 in flight.
#include "reference.h"
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int to_worker[2], from_worker[2];
static size_t arena_bytes;
static char *arena, *source;
static volatile uint64_t sink;

static void pipes(int *request, int *reply)
{
    if (pipe(request) || pipe(reply))
        fail("pipe");
}

static pid_t worker(void)
{
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static struct timespec rest;

static double round_trip(void)
{
    char message[16] = "request";
    if (rest.tv_nsec > 0)
        nanosleep(&rest, NULL);
    double begin = now_us();
    if (write(to_worker[1], message, sizeof message) != sizeof message || read(from_worker[0], message, sizeof message) != sizeof message)
        fail("round trip");
    return now_us() - begin;
}

static void pipe_worker(int cpu)
{
    if (worker() != 0)
        return;
    char message[16];
    pin_to(cpu);
    while (read(to_worker[0], message, sizeof message) == sizeof message)
        if (write(from_worker[1], message, sizeof message) != sizeof message)
            break;
    _exit(0);
}

static double through_arena(void)
{
    double begin = now_us();
    memcpy(arena, source, arena_bytes);
    round_trip();
    return (double)arena_bytes / 1e3 / (now_us() - begin);
}

// Touches every cache line where it lies, then answers.
static void arena_worker(void)
{
    if (worker() != 0)
        return;
    char message[16];
    while (read(to_worker[0], message, sizeof message) == sizeof message) {
        uint64_t sum = 0;
        for (size_t i = 0; i < arena_bytes; i += 64)
            sum += *(uint64_t *)(void *)(arena + i);
        sink = sum;
        if (write(from_worker[1], message, sizeof message) != sizeof message)
            break;
    }
    _exit(0);
}

enum { WORKERS = 2, WINDOW = 64, BATCH = 32, MESSAGE = 16, TOTAL = 200000 };
static int task_request[WORKERS][2], task_reply[WORKERS][2];

static void task_worker(int index)
{
    if (worker() != 0)
        return;
    char messages[WINDOW * MESSAGE];
    for (;;) {
        ssize_t count = read(task_request[index][0], messages, sizeof messages);
        if (count <= 0 || write(task_reply[index][1], messages, (size_t)count) != count)
            _exit(0);
    }
}

static double tasks(void)
{
    static char messages[WINDOW * MESSAGE];
    long sent = 0, done = 0, in_flight[WORKERS] = { 0 };
    double begin = now_us();
    while (done < TOTAL) {
        struct pollfd ready[WORKERS];
        for (int i = 0; i < WORKERS; i++) {
            for (; sent < TOTAL && in_flight[i] + BATCH <= WINDOW; sent += BATCH, in_flight[i] += BATCH)
                if (write(task_request[i][1], messages, BATCH * MESSAGE) != BATCH * MESSAGE)
                    fail("write");
            ready[i] = (struct pollfd){ task_reply[i][0], POLLIN, 0 };
        }
        poll(ready, WORKERS, -1);
        for (int i = 0; i < WORKERS; i++) {
            if (!(ready[i].revents & POLLIN))
                continue;
            ssize_t count = read(task_reply[i][0], messages, sizeof messages);
            if (count <= 0)
                fail("read");
            done += count / MESSAGE;
            in_flight[i] -= count / MESSAGE;
        }
    }
    return TOTAL / ((now_us() - begin) / 1e6);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "pipe";
    if (strcmp(what, "tasks") == 0) {
        for (int i = 0; i < WORKERS; i++) {
            pipes(task_request[i], task_reply[i]);
            task_worker(i);
        }
        return serve(tasks);
    }
    pipes(to_worker, from_worker);
    if (strcmp(what, "arena") == 0) {
        arena_bytes = (size_t)argument(argc, argv, 2, 64) << 20;
        arena = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (arena == MAP_FAILED)
            fail("mmap");
        source = ballast(arena_bytes);
        arena_worker();
        return serve(through_arena);
    }
    pipe_worker((int)argument(argc, argv, 3, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0));
    pin_to((int)argument(argc, argv, 2, 0));
    rest.tv_nsec = argument(argc, argv, 4, 0) * 1000000;
    return serve(round_trip);
}
