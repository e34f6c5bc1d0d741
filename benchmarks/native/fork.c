// Reference: a bare fork. usage: fork exit|child|forkpty [anonymous KB] [VMAs] [threads], or fork exit|child like PID
// exit: fork, _exit in the child, reaped. child: from the call to the child's first instruction. forkpty: as exit, on a pseudo-terminal.
// With the KB and VMAs of a .NET process, or all of its shape, this is what fork costs before any runtime is revived.
#include "shape.h"
#include <pthread.h>
#include <pty.h>
#include <sys/wait.h>

static double *child_time; // shared with the child

static double fork_exit(void)
{
    double begin = now_us();
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        fail("fork");
    waitpid(pid, NULL, 0);
    return now_us() - begin;
}

static double fork_child(void)
{
    double begin = now_us();
    pid_t pid = fork();
    if (pid == 0) {
        *child_time = now_us();
        _exit(0);
    }
    if (pid < 0)
        fail("fork");
    waitpid(pid, NULL, 0);
    return *child_time - begin;
}

static double forkpty_exit(void)
{
    int terminal;
    double begin = now_us();
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        fail("forkpty");
    waitpid(pid, NULL, 0);
    close(terminal);
    return now_us() - begin;
}

// Alternating protections keep the kernel from merging neighbours: one mapping is two VMAs.
static void mappings(long count)
{
    if (count <= 0)
        return;
    char *memory = mmap(NULL, (size_t)count * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    for (long i = 0; i < count; i += 2)
        if (mprotect(memory + i * 4096, 4096, PROT_READ | PROT_WRITE))
            fail("mprotect");
}

static void *wait_for_ever(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

static void threads(long count)
{
    pthread_t thread;
    for (long i = 0; i < count; i++)
        if (pthread_create(&thread, NULL, wait_for_ever, NULL))
            fail("pthread_create");
}

int main(int argc, char **argv)
{
    child_time = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (child_time == MAP_FAILED)
        fail("mmap");
    if (argc > 3 && strcmp(argv[2], "like") == 0) {
        take_shape_of(argument(argc, argv, 3, 0));
    }
    else {
        ballast((size_t)argument(argc, argv, 2, 0) << 10);
        mappings(argument(argc, argv, 3, 0));
        threads(argument(argc, argv, 4, 0));
    }
    const char *what = argc > 1 ? argv[1] : "exit";
    return serve(strcmp(what, "child") == 0 ? fork_child : strcmp(what, "forkpty") == 0 ? forkpty_exit : fork_exit);
}
