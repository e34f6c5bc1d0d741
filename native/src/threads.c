// CHILD-SAFE: the threads of this process: their list, and what kind of thread each is.
#include "engine.h"

#include <fcntl.h>
#include <string.h>

SM_TABLE sm_slot sm__slots[SM_MAX_THREADS];
int sm__slot_count;

sm_slot *sm__slot_of(int tid)
{
    for (int i = 0; i < sm__slot_count; i++)
        if (atomic_load_explicit(&sm__slots[i].tid, memory_order_relaxed) == tid)
            return &sm__slots[i];
    return NULL;
}

// A thread of the runtime's or of ours that was blocked at the last capture is so at this one, most likely. (The list begins with the oldest: it has its old slot.)
static int rests(const sm_slot *slot, int tid)
{
    return atomic_load(&slot->tid) == tid && slot->parked
        && (slot->kind == SM_THREAD_RUNTIME || slot->kind == SM_THREAD_GATE || slot->kind == SM_THREAD_TIMER || slot->kind == SM_THREAD_LIBRARY);
}

static void add_slot(int tid)
{
    sm_slot *slot = &sm__slots[sm__slot_count];
    int resting = rests(slot, tid);
    memset(slot, 0, sizeof *slot);
    slot->rests = resting;
    slot->syscall = -1;
    slot->mode = SM_MODE_UNKNOWN;
    atomic_store(&slot->tid, tid);   // the signal handler looks for its own id: from here on it finds a whole slot
    sm__slot_count++;
}

// Adds every task that has no slot yet; returns how many, or -errno.
int sm__list_new_tasks(int self)
{
    SM_TABLE static _Alignas(8) char buffer[32768];
    int folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), added = 0;
    if (folder < 0)
        return -errno;
    for (long got; (got = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0;) {
        for (long at = 0; at < got;) {
            struct directory_entry *entry = (struct directory_entry *)(buffer + at);
            const char *digits = entry->name;
            int tid = (int)sm__parse(&digits, 10);
            at += entry->length;
            if (tid == 0 || tid == self || sm__slot_of(tid))
                continue;
            if (sm__slot_count == SM_MAX_THREADS) {
                close(folder);
                return -E2BIG;
            }
            add_slot(tid);
            added++;
        }
    }
    close(folder);
    return added;
}

// Walks the runtime's own thread list (all threads are parked, so it stands still) and notes what it says about each slot.
SM_UNSANITIZED void sm__read_managed(void)
{
    const sm_engine *engine = &sm__engine;
    if (!engine->thread_store || !*engine->thread_store)
        return;
    char *link = *(char **)(*engine->thread_store + engine->first_link);
    for (int guard = 0; link && guard < 4 * SM_MAX_THREADS; guard++, link = *(char **)link) {
        char *thread = link - engine->link_next;
        sm_slot *slot = sm__slot_of((int)*(size_t *)(thread + engine->os_id));
        if (!slot)
            continue;
        slot->managed = thread;
        slot->managed_id = *(int32_t *)(thread + engine->managed_id);
        slot->managed_state = *(uint32_t *)(thread + engine->state);
        slot->mode = *(int32_t *)(thread + engine->preemptive_disabled) ? SM_MODE_COOPERATIVE : SM_MODE_PREEMPTIVE;
    }
}

SM_UNSANITIZED char *sm__managed_thread_of(int tid)
{
    const sm_engine *engine = &sm__engine;
    if (!engine->thread_store || !*engine->thread_store)
        return NULL;
    char *link = *(char **)(*engine->thread_store + engine->first_link);
    for (int guard = 0; link && guard < 4 * SM_MAX_THREADS; guard++, link = *(char **)link)
        if ((int)*(size_t *)(link - engine->link_next + engine->os_id) == tid)
            return link - engine->link_next;
    return NULL;
}

const char *sm__kind_name(int kind)
{
    static const char *const names[] = { "calling", "main", "runtime", "thread-pool", "thread-pool gate", "timer", "socket", "StartMethods", "user",
                                         "foreign native" };
    return kind >= 0 && kind <= SM_THREAD_FOREIGN ? names[kind] : "unknown";
}

static int starts(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

// A thread's name is inherited from its creator until it gets one, so a name alone proves nothing: a user's unnamed thread that a pool
// worker started is called ".NET TP Worker" too. The runtime's state bits decide where they can.
static int kind_of(const sm_slot *slot, int process)
{
    enum { TS_POOL_WORKER = 0x01000000 };   // CoreCLR's Thread::TS_TPWorkerThread
    const char *name = slot->name;
    // In a child that another thread has forked, the first thread is that one, and the main thread a revived one: the runtime's numbers stay.
    enum { MAIN_THREAD_ID = 1 };
    if (slot->managed ? slot->managed_id == MAIN_THREAD_ID : atomic_load(&slot->tid) == process)
        return SM_THREAD_MAIN;
    if (slot->managed) {
        if (slot->managed_state & TS_POOL_WORKER)
            return starts(name, ".NET TP Gate") ? SM_THREAD_GATE : SM_THREAD_POOL;
        if (starts(name, ".NET TP Gate") || starts(name, ".NET TP Wait"))
            return SM_THREAD_GATE;
        if (starts(name, ".NET Timer"))
            return SM_THREAD_TIMER;
        if (starts(name, ".NET Sockets"))
            return SM_THREAD_SOCKETS;
        if (starts(name, "StartMethods"))
            return SM_THREAD_LIBRARY;
        return starts(name, ".NET ") && !starts(name, ".NET TP") && !starts(name, ".NET Long") ? SM_THREAD_RUNTIME : SM_THREAD_USER;
    }
    if (starts(name, ".NET TP Gate"))
        return SM_THREAD_GATE;
    if (starts(name, "StartMethods"))
        return SM_THREAD_LIBRARY;
    if (starts(name, ".NET ") && !starts(name, ".NET TP"))
        return SM_THREAD_RUNTIME;
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, "-ust") == 0 ? SM_THREAD_RUNTIME : SM_THREAD_FOREIGN;
}

// glibc keeps what a thread was started with in its struct pthread: does that point into the runtime's code?
SM_UNSANITIZED static int was_made_by_runtime(const sm_slot *slot)
{
    enum { STRUCT_SIZE = 2304 };
    for (int offset = 0; offset < STRUCT_SIZE; offset += 8) {
        const char *word = *(char *const *)(slot->thread_pointer + offset);
        if (word >= sm__engine.core_text.start && word < sm__engine.core_text.end)
            return 1;
    }
    return 0;
}

// Is this thread being born, or ending? The runtime marks one that it has not let go yet; one that is not in its list (any more) is known by its start alone.
static int is_passing(const sm_slot *slot)
{
    enum { TS_UNSTARTED = 0x400 };   // CoreCLR's Thread::TS_Unstarted
    if (slot->managed)
        return (slot->managed_state & TS_UNSTARTED) != 0;
    return (slot->kind == SM_THREAD_FOREIGN || slot->syscall == SYS_read) && was_made_by_runtime(slot);
}

void sm__classify(int process)
{
    for (int i = 0; i < sm__slot_count; i++) {
        sm_slot *slot = &sm__slots[i];
        if (atomic_load(&slot->state) != SM_SLOT_PARKED)
            continue;
        slot->kind = kind_of(slot, process);
        slot->passing = is_passing(slot);
    }
}
