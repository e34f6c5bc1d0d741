// What every C reference shares: a clock, and the loop that answers a line with a number by so many samples on one line.
#ifndef REFERENCE_H
#define REFERENCE_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static inline double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

_Noreturn static inline void fail(const char *what)
{
    perror(what);
    _exit(9);
}

static inline long argument(int argc, char **argv, int index, long otherwise)
{
    return argc > index ? atol(argv[index]) : otherwise;
}

// Anonymous memory with every page touched: the weight that a parent carries when it forks.
static inline char *ballast(size_t bytes)
{
    if (bytes == 0)
        return NULL;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    memset(memory, 1, bytes);
    return memory;
}

static inline void pin_to(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        fail("sched_setaffinity");
}

// Until the input ends. A sample is what `measure` returns.
static inline int serve(double (*measure)(void))
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        for (long i = atol(line); i > 0; i--)
            printf("%.3f ", measure());
        puts("");
        fflush(stdout);
    }
    return 0;
}

#endif
