// Forks that somebody else makes: fork(2), called by native code in this process, which the C library tells us of.
#include "engine.h"

#include <pthread.h>

static _Atomic int is_child, has_happened;

static void in_parent(void)
{
    atomic_store(&has_happened, 1);
}

static void in_child(void)
{
    atomic_store(&is_child, 1);
}

__attribute__((constructor)) static void watch_foreign_forks(void)
{
    pthread_atfork(NULL, in_parent, in_child);
}

int32_t sm_fork_is_foreign_child(void)
{
    return atomic_load(&is_child);
}

int sm__has_foreign_children(void)
{
    return atomic_load(&has_happened);
}
