// A small test runner: every case runs in a forked process of its own under an alarm, so a crash or a hang fails that case alone.
#ifndef SM_TEST_H
#define SM_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct { const char *name; void (*run)(void); } sm_test_case;

#define CHECK(condition) \
    do { if (!(condition)) { fprintf(stderr, "  %s:%d: %s\n", __FILE__, __LINE__, #condition); fflush(stderr); _exit(1); } } while (0)

#define CHECK_EQUAL(expected, actual) \
    do { long long e_ = (long long)(expected), a_ = (long long)(actual); \
         if (e_ != a_) { fprintf(stderr, "  %s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, a_, e_); fflush(stderr); _exit(1); } } while (0)

#define CASE(function) { #function, function }

static int sm_run_tests(const sm_test_case *cases, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) { alarm(20); cases[i].run(); exit(0); }
        int status = 0;
        waitpid(pid, &status, 0);
        int ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        printf("%s %s%s\n", ok ? "ok    " : "FAILED", cases[i].name, WIFSIGNALED(status) ? " (killed by a signal)" : "");
        failed += !ok;
    }
    printf("%zu passed, %d failed\n", count - (size_t)failed, failed);
    return failed ? 1 : 0;
}

#endif
