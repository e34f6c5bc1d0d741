// Reference: posix_spawn of a program and waiting for it. usage: spawn latency|rate|pipeline [parent's MB]
#include "reference.h"
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static pid_t start(void)
{
    pid_t pid;
    char *arguments[] = { "true", NULL };
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ))
        fail("posix_spawn");
    return pid;
}

static double latency(void)
{
    double begin = now_us();
    waitpid(start(), NULL, 0);
    return now_us() - begin;
}

enum { STARTS = 200, IN_FLIGHT = 4 };

static void *start_and_wait(void *unused)
{
    for (int i = 0; i < STARTS / IN_FLIGHT; i++)
        waitpid(start(), NULL, 0);
    return unused;
}

// Starts per second of four threads, each of which starts a program and waits for it.
static double rate(void)
{
    pthread_t threads[IN_FLIGHT];
    double begin = now_us();
    for (int i = 0; i < IN_FLIGHT; i++)
        if (pthread_create(&threads[i], NULL, start_and_wait, NULL))
            fail("pthread_create");
    for (int i = 0; i < IN_FLIGHT; i++)
        pthread_join(threads[i], NULL);
    return STARTS / ((now_us() - begin) / 1e6);
}

// The same with one thread, which starts the next as soon as any has ended.
static double pipeline(void)
{
    double begin = now_us();
    int live = 0;
    for (int i = 0; i < STARTS; i++) {
        if (live == IN_FLIGHT) { wait(NULL); live--; }
        start();
        live++;
    }
    while (live-- > 0)
        wait(NULL);
    return STARTS / ((now_us() - begin) / 1e6);
}

int main(int argc, char **argv)
{
    ballast((size_t)argument(argc, argv, 2, 0) << 20);
    const char *what = argc > 1 ? argv[1] : "latency";
    return serve(strcmp(what, "rate") == 0 ? rate : strcmp(what, "pipeline") == 0 ? pipeline : latency);
}
