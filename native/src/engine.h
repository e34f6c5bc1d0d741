// What the files of the fork engine share. Everything here may run while all other threads are parked, or in a child that has none yet:
// static storage, raw system calls, no allocation.
#ifndef SM_ENGINE_H
#define SM_ENGINE_H

#include "directory.h"
#include "startmethods.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { SM_MAX_THREADS = 4096, SM_MAX_RANGES = 1 << 16, SM_NAME_SIZE = 16 };
enum { SM_SLOT_FREE, SM_SLOT_SENT, SM_SLOT_PARKED, SM_SLOT_GONE };

// Callee-saved registers of a parked thread: what sm__clone_thread needs to go on where sm__context_save returned. Known to arch/*.S.
typedef struct { uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip; } sm_context;

int sm__context_save(sm_context *context) __attribute__((returns_twice));
long sm__clone_thread(unsigned long flags, int *parent_tid, int *child_tid, unsigned long tls, const sm_context *context);

typedef struct {
    _Atomic int tid;            // published last
    _Atomic int state;
    int new_tid;                // in the child: the revived thread's id, 0 = frozen
    int action, kind, mode;
    int syscall, parked;        // syscall -1: none or unknown
    int holds_own_id;           // in a register
    int dormant;                // in the child: comes back when its caretaker sees to it
    int rests;                  // most likely: as it did at the last capture
    int handles_signal;         // it is in the handler of one
    int passing;                // a thread of the runtime's that is being born or ends
    uint64_t instruction, argument[3], stack;
    uint64_t blocked;           // signals
    int64_t returned;
    char *thread_pointer;       // fs base
    uint64_t place;             // what it is parked in (ownerless.c), 0: not known
    char *managed;              // the runtime's Thread, or NULL
    uint32_t managed_state;
    int32_t managed_id;
    void *robust;
    size_t robust_size, affinity_size;
    unsigned char affinity[128];
    char name[SM_NAME_SIZE];
    sm_context context;
} sm_slot;

typedef struct { char *start, *end; } sm_range;

// What the parent and the child share during one fork, in a page of its own.
enum { SM_MAX_OWNERS = 256 };
typedef struct {
    _Atomic int stage, has_found;
    int error;
    uint64_t child_ns;
    uint32_t revived, frozen, owners;
    uint32_t found_count;                     // what the parent has found, once it has_found: owners of locks
    int32_t *found[SM_MAX_OWNERS];
    uint32_t caller_owns;                     // who was found to own a lock: the thread that forks,
    uint32_t owning[SM_MAX_THREADS / 32];     // and those of the slots
} sm_handshake;
enum { SM_STAGE_STARTED, SM_STAGE_COPIED, SM_STAGE_READY, SM_STAGE_FAILED };

typedef struct {
    const sm_fork_options *options;
    sm_fork_result *result;
    sm_handshake *shared;
    int caller, process;                      // ids at the time of the fork
    char *caller_pointer;
    void *robust;
    size_t robust_size;
    uint64_t mask;
    uint64_t patience;                        // until then, what passes is waited for
    uint64_t lock_patience;                   // until then, that nobody who stays behind waits for a lock
    int signal;
    int quiet, rests;                         // nobody is busy; and everybody waits where he did the last time
    int has_code_memory, has_owners;          // what the child must copy, and repair
    int until;                                // the stage of the child at which the parent's threads go on
    int may_rest;                             // nobody but the runtime and the system has locks here: see ownerless.c
    char *frame;                              // of the engine's first function, on the caller's stack
    uint64_t place;                           // what the caller is in (ownerless.c)
    long descriptors;                         // how many are open, 0: not known
} sm_run;

// What sm_fork_setup_engine learnt; a field that is NULL or 0 was not found (yet).
typedef struct {
    int ready, has_runtime, needs_thread_map;
    ptrdiff_t rseq_offset;
    unsigned rseq_size;
    // offsets of the runtime's own description of itself (DotNetRuntimeContractDescriptor)
    char **thread_store;
    int first_link, link_next, os_id, preemptive_disabled, state, managed_id, background_count;
    int thread_statics, static_arrays;        // -1: this runtime does not describe them
    struct sm_thread_map **thread_map;
    int *core_pid;                            // gPID, followed by gSID
    int *system_pid;                          // g_pid of libSystem.Native
    int tid_offset;                           // of tid in glibc's struct pthread
    int signal_pipe, synch_pipe;              // read ends, -1: not seen yet
    sm_range core, system;                    // writable data without RELRO
    sm_range core_text, system_text;
    sm_range lock_code;                       // glibc's functions that write the owner of a lock
} sm_engine;
extern sm_engine sm__engine;

struct sm_thread_map { struct { size_t tid; char *thread; } entries[256]; struct sm_thread_map *next; };

extern sm_slot sm__slots[SM_MAX_THREADS];
extern int sm__slot_count;

// threads.c: the list of tasks, and what a thread is
int sm__list_new_tasks(int self);
void sm__read_managed(void);
void sm__classify(int process);
sm_slot *sm__slot_of(int tid);
const char *sm__kind_name(int kind);
char *sm__managed_thread_of(int tid);

// capture.c: park and release
int sm__capture_signal(void);
int sm__park_all(sm_run *run, uint64_t deadline);
void sm__blame_unparked(sm_fork_result *result, int error);
void sm__release(void);
void sm__gate_close(void);
void sm__wait_at_gate(int generation);
void sm__expect_arrivals(void);
int sm__await_arrivals(int count, uint64_t deadline);
int sm__arm(int signal, void *saved);
void sm__disarm(int signal, const void *saved);
uint64_t sm__now(void);
void sm__pause(uint64_t nanoseconds);
void sm__mask_all(uint64_t *saved);
void sm__mask_restore(const uint64_t *saved);

// quiesce.c: is this moment good?
enum { SM_MOMENT_QUIET, SM_MOMENT_BUSY, SM_MOMENT_BAD };
int sm__judge(sm_run *run);
int sm__are_all_safe(const sm_run *run);
void sm__describe_slot(sm_slot *slot, const ucontext_t *context);

// locate.c, contract.c: the checked search
int sm__locate(char *why, int why_size);
void sm__locate_lock_code(void);
int sm__locate_pids(void);
int sm__read_contract(const void *descriptor);
int sm__learn_tid_offset(sm_run *run);
void sm__learn_pipes(void);

// diagnostics.c: the files by which tools find this process
void sm__locate_diagnostics(void);
void sm__forget_diagnostics(void);

// runtime_files.c
void sm__remove_own_files(void);

// fork.c
int sm__is_forked(void);

// ranges.c: the memory map, without libc
int sm__read_ranges(void);
int sm__read_shared_ranges(void);
int sm__peek(const void *address, void *buffer, size_t size);
typedef struct { char *start, *end; uint64_t offset, inode, device; unsigned char read, write, execute, shared, heap; } sm_mapping;
extern sm_mapping sm__mappings[SM_MAX_RANGES];
extern int sm__mapping_count;
int sm__is_managed(const sm_mapping *part);

// pages.c: which pages exist
typedef struct { int file, count; char *start, *end, *chunk; uint64_t entries[512]; } sm_pages;
void sm__open_pages(sm_pages *pages);
void sm__close_pages(sm_pages *pages);
void sm__pages_of(sm_pages *pages, char *start, char *end);
int sm__next_pages(sm_pages *pages, sm_range *run);

// child.c, revive.c, codemem.c, inherited.c, owners.c: what the child does before anything else
void sm__child(sm_run *run);
void sm__child_failed(sm_run *run, int error) __attribute__((noreturn));
int sm__copy_code_contents(void);
int sm__map_code_copies(void);
int sm__has_code_memory(void);
int sm__is_code(const sm_mapping *mapping);
int sm__code_file(void);
void sm__wake(_Atomic int *word);
long sm__count_descriptors(void);
int sm__own_descriptors(sm_run *run);
int sm__revive_all(sm_run *run);
void sm__rewrite_thread_ids(sm_run *run);
int sm__revive(sm_slot *slot);
void sm__introduce(const sm_slot *slot);
void sm__resend_activations(void);
void sm__find_owners(sm_run *run);
int sm__rewrite_owners(sm_run *run);
int sm__owns(const sm_run *run, int slot);

// ownerless.c: threads that wait where they own nothing; loaded_libraries.c
int sm__own_nothing(sm_run *run);
int sm__count_living(void);
void sm__note_ownerless(const sm_run *run);
int sm__has_foreign_libraries(void);

// codedata.c: data that code memory holds; foreign.c
void sm__make_code_data_private(void);
int sm__has_foreign_children(void);

// held.c: threads that stay parked from one fork to the next
int sm__still_holds_all(sm_run *run);
void sm__hold_or_release(const sm_run *run);
void sm__let_go(void);
int sm__holds(void);
void sm__release_all(void);
int sm__note_places(void);

// consolidate.c: the runtime's code memory in one piece
int64_t sm__consolidate(void);
int sm__consolidate_again(void);

// clean.c: pages that a fork need not know of
void sm__clean(const sm_run *run);

// dormant.c: threads that come back later
sm_slot *sm__choose_caretaker(const sm_run *run);
void sm__sleep_on(sm_slot *slot, int generation);
int sm__wake_dormant(int process, int signal, uint64_t deadline);

// inspect.c: who is alive, while all are parked
int sm__describe_parked(const sm_run *run, sm_thread_info *threads, int32_t capacity);

// turn.c: who may park the threads
int sm__begin(sm_run *run, const sm_fork_options *options, sm_fork_result *result);
int sm__arm_capture(sm_run *run, void *saved);
void sm__give_turn(void);

// fork.c: parks all threads at a moment at which forking is sound
int sm__capture(sm_run *run, uint64_t start);

// text.c: the little formatting that is needed where stdio may not be used
typedef struct { char *text; int size, used; } sm_text;
void sm__text(sm_text *text, const char *string);
void sm__number(sm_text *text, int64_t number);
const char *sm__syscall_name(int number);
int64_t sm__parse(const char **text, int base);
int sm__read_file(const char *path, char *buffer, int size);

// status.c: the number behind "\nField:\t" in /proc/self/status, or -1
int64_t sm__own_status(const char *field, int base);

// Large, and of no interest to a child: behind all that is small, of which each page that a child writes to becomes its own.
#define SM_TABLE __attribute__((section(".lbss")))

#define SM_UNSANITIZED __attribute__((no_sanitize("address", "undefined")))

#endif
