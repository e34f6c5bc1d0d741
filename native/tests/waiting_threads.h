// Threads that wait until they are wanted, then take a lock that knows its owner by the thread's id: what the tests of late and held threads share.
#ifndef SM_WAITING_THREADS_H
#define SM_WAITING_THREADS_H

#include "fork_test.h"

#include <semaphore.h>
#include <sys/prctl.h>

enum { LATE = SM_FORK_REVIVE_ALL | SM_FORK_DORMANT };

static sem_t wanted;
static _Atomic int done;

static void note_places(void)
{
    sm_thread_info threads[64];
    sm_fork_options options = { .size = sizeof options };
    CHECK(sm_fork_inspect(&options, threads, 64) >= 0);
}

static void *wait_until_wanted(void *name)
{
    pthread_mutexattr_t kind;
    pthread_mutex_t mutex;
    if (name)
        prctl(PR_SET_NAME, name);
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex, &kind);
    atomic_fetch_add(&started, 1);
    while (sem_wait(&wanted) != 0) {}
    if (pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0)
        atomic_fetch_add(&done, 1);
    return NULL;
}

static void start_waiting(int count, char *name_of_first)
{
    sem_init(&wanted, 0, 0);
    for (int i = 0; i < count; i++)
        start(wait_until_wanted, i == 0 ? name_of_first : NULL);
    await_started(count);
    pause_ms(2);
    note_places();
}

static int all_done(int count)
{
    for (int i = 0; i < count; i++)
        sem_post(&wanted);
    for (int waited = 0; atomic_load(&done) < count; waited++) {
        if (waited > 5000)
            return 0;
        pause_ms(1);
    }
    return 1;
}

#endif
