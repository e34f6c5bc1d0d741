// Reference: posix_spawn of a program and waiting for it. usage: spawn latency|rate [parent's MB]
#include "reference.h"
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

// Starts per second with four in flight.
static double rate(void)
{
    enum { STARTS = 200, IN_FLIGHT = 4 };
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
    return serve(argc > 1 && strcmp(argv[1], "rate") == 0 ? rate : latency);
}
