// PR_SET_PDEATHSIG fires when the *thread* that started the child ends, not the process: a program started from a thread-pool thread would be
// killed when the pool retires that thread. So such programs are started by one thread that never ends. Other starts do not come here: the
// hand-over costs two thread switches and makes starts wait for each other.
#include "spawn.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// glibc 2.34 moved pthread_create and gave it a new version; the old one is there in every release, and so is the same function.
#if defined(__x86_64__)
__asm__(".symver pthread_create,pthread_create@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver pthread_create,pthread_create@GLIBC_2.17");
#endif

typedef struct request {
    const sm_spawn_options *options;
    sm_spawn_result *result;
    int32_t outcome;
    int done;
    struct request *next;
} request;

typedef struct {
    int32_t owner;              // the process whose thread it is: a forked copy has the memory, but not the thread
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    request *first, **last;
} spawner;

static spawner *current;        // replaced, never freed: a forked child leaks its parent's, whose lock may have been held at the fork

static void *run(void *argument)
{
    spawner *self = argument;
    prctl(PR_SET_NAME, "sm-spawner");
    pthread_mutex_lock(&self->lock);
    for (;;) {
        while (self->first == NULL)
            pthread_cond_wait(&self->work, &self->lock);
        request *job = self->first;
        self->first = job->next;
        if (self->first == NULL)
            self->last = &self->first;
        pthread_mutex_unlock(&self->lock);
        int32_t outcome = sm__spawn_here(job->options, job->result);
        pthread_mutex_lock(&self->lock);
        job->outcome = outcome;
        job->done = 1;
        pthread_cond_broadcast(&self->finished);
    }
    return NULL;
}

static int start_thread(spawner *self)
{
    pthread_attr_t attributes;
    pthread_t thread;
    // Blocked for its whole life: the signals of the application are handled by the runtime's threads.
    uint64_t everything = ~UINT64_C(0), before;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &everything, &before, sizeof before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, run, self);
    pthread_attr_destroy(&attributes);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    return error;
}

static int get_spawner(spawner **found)
{
    int32_t here = (int32_t)syscall(SYS_getpid);
    spawner *known = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
    if (known != NULL && known->owner == here) {
        *found = known;
        return 0;
    }
    spawner *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return ENOMEM;
    fresh->owner = here;
    fresh->last = &fresh->first;
    pthread_mutex_init(&fresh->lock, NULL);
    pthread_cond_init(&fresh->work, NULL);
    pthread_cond_init(&fresh->finished, NULL);
    int error = start_thread(fresh);
    if (error != 0) {
        free(fresh);
        return error;
    }
    // Two first starts at once: both threads are good, and the one that loses the race idles.
    __atomic_compare_exchange_n(&current, &known, fresh, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    *found = fresh;
    return 0;
}

int32_t sm__spawn_on_immortal_thread(const sm_spawn_options *options, sm_spawn_result *result)
{
    spawner *self;
    int error = get_spawner(&self);
    if (error != 0) {
        result->stage = SM_STAGE_CLONE;
        return -error;
    }
    request job = { .options = options, .result = result };
    pthread_mutex_lock(&self->lock);
    *self->last = &job;
    self->last = &job.next;
    pthread_cond_signal(&self->work);
    while (!job.done)
        pthread_cond_wait(&self->finished, &self->lock);
    pthread_mutex_unlock(&self->lock);
    return job.outcome;
}
