// A start of a shell script, for the tests of sm_spawn.
#ifndef SM_SPAWN_START_H
#define SM_SPAWN_START_H

#include "startmethods.h"
#include "test.h"

// A start of a shell script with three standard descriptors, of which output is a pipe.
typedef struct { sm_spawn_options options; sm_spawn_result result; sm_spawn_descriptor map[16]; const char *argv[8]; const char *envp[4]; int output; } start;

static inline void prepare(start *s, const char *script)
{
    memset(s, 0, sizeof *s);
    int ends[2];
    CHECK_EQUAL(0, sm_pipe(ends, -1));
    s->output = ends[0];
    s->argv[0] = "sh"; s->argv[1] = "-c"; s->argv[2] = script;
    s->envp[0] = "PATH=/usr/bin:/bin";
    s->map[0] = (sm_spawn_descriptor){ 0, 0 };
    s->map[1] = (sm_spawn_descriptor){ ends[1], 1 };
    s->map[2] = (sm_spawn_descriptor){ 2, 2 };
    s->options = (sm_spawn_options){ .size = sizeof s->options, .file = "/bin/sh", .argv = s->argv, .envp = s->envp, .descriptors = s->map,
                                     .descriptor_count = 3, .default_signals = ~UINT64_C(0) };
    s->result.size = sizeof s->result;
}

static inline int go(start *s)
{
    int result = sm_spawn(&s->options, &s->result);
    close(s->map[1].source);
    return result;
}

static inline int wait_for(start *s)
{
    sm_exit_info info = { .size = sizeof info };
    CHECK_EQUAL(1, sm_process_wait(s->result.pid, s->result.pidfd, 10000));
    CHECK_EQUAL(1, sm_process_reap(s->result.pid, s->result.pidfd, &info));
    return info.kind == SM_EXIT_CODE ? info.value : -info.value;
}

static inline const char *output_of(start *s)
{
    static char text[65536];
    size_t length = 0;
    ssize_t got;
    CHECK_EQUAL(0, go(s));
    while ((got = read(s->output, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = 0;
    CHECK_EQUAL(0, wait_for(s));
    return text;
}

#define CHECK_TEXT(expected, actual) \
    do { const char *a_ = (actual); if (strcmp(expected, a_) != 0) { fprintf(stderr, "  %s:%d: got '%s'\n", __FILE__, __LINE__, a_); _exit(1); } } while (0)

static inline void list_descriptors(start *s, int extra)
{
    prepare(s, "for f in /proc/self/fd/*; do printf '%s ' ${f##*/}; done");
    s->argv[0] = "bash"; s->options.file = "/bin/bash";   // dash keeps a descriptor of its own
    s->map[3] = (sm_spawn_descriptor){ extra, 7 };
    s->options.descriptor_count = extra >= 0 ? 4 : 3;
}

#endif
