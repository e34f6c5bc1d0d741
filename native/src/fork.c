// One fork: park every thread, judge the moment, clone, and let both sides go. See docs/architecture.md, "One fork".
// From the first signal to the release nothing is allocated and no lock is taken: a parked thread may hold any of them.
#include "engine.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

static const uint64_t first_pause_ns = 100000, longest_pause_ns = 5000000, least_deadline_ns = 10000000, lock_patience_ns = 20000000, parking_limit_ns = 50000000;
static int is_forked;                    // this process is a copy that the engine has made
static int waited_in_vain;               // for a quiet moment, at the last fork
static sm_handshake *handshake;          // shared with the child of the current fork
static sm_handshake unheard;             // in its place where nobody waits for the child: each process has its own

int sm__is_forked(void)
{
    return is_forked;
}

int32_t sm_fork_gettid(void)
{
    return (int32_t)syscall(SYS_gettid);
}

static int new_handshake(void)
{
    void *page = mmap(NULL, sizeof *handshake, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -errno;
    handshake = page;
    return 0;
}

int32_t sm_fork_setup_engine(const sm_fork_setup *setup, char *why, int32_t why_size)
{
    sm_engine *engine = &sm__engine;
    sm_text text = { why, why_size, 0 };
    if (setup->size != sizeof *setup)
        return -EINVAL;
    if (engine->ready)
        return 0;
    if (setup->rseq_offset && setup->rseq_size) {
        memcpy(&engine->rseq_offset, setup->rseq_offset, sizeof engine->rseq_offset);
        memcpy(&engine->rseq_size, setup->rseq_size, sizeof engine->rseq_size);
    }
    sm__locate_lock_code();
    engine->needs_thread_map = (int)setup->needs_thread_map;
    if (setup->contract_descriptor) {
        int result = sm__read_contract(setup->contract_descriptor);
        if (result < 0) {
            sm__text(&text, "this runtime's description of itself (DotNetRuntimeContractDescriptor) lacks what the engine reads");
            return result;
        }
        engine->has_runtime = 1;
        if ((result = sm__locate(why, why_size)) < 0)
            return result;
        sm__locate_diagnostics();
    }
    if (!handshake) {
        int result = new_handshake();
        if (result < 0)
            return result;
    }
    engine->ready = 1;
    return 0;
}

// A parent that needs not hold still until the child has copied code memory, and is not told when the child is whole, has nothing to hear from it.
static int awaits_child(const sm_run *run)
{
    return run->shared != &unheard;
}

// The page that is shared, if any, is of no use to the next fork: the child of this one still writes to it.
static void drop_handshake(void)
{
    if (handshake)
        munmap(handshake, sizeof *handshake);
    handshake = NULL;
}

static int make_handshake(sm_run *run)
{
    int outcome;
    run->has_code_memory = sm__has_code_memory();
    if (!run->has_code_memory && run->options->flags & SM_FORK_NO_WAIT) {
        drop_handshake();
        run->shared = &unheard;
    }
    else if (!handshake && (outcome = new_handshake()) < 0) {
        return outcome;
    }
    else {
        run->shared = handshake;
    }
    run->shared->found_count = run->shared->caller_owns = 0;
    memset(run->shared->owning, 0, sizeof run->shared->owning);
    atomic_store(&run->shared->has_found, 0);
    atomic_store(&run->shared->stage, SM_STAGE_STARTED);
    return 0;
}

// A child that shares these with its parent takes its messages, or signals it: better no child. Both are seen when their thread waits.
static int knows_what_to_replace(const sm_run *run)
{
    const sm_engine *engine = &sm__engine;
    if (engine->has_runtime && engine->signal_pipe >= 0 && !engine->system_pid)
        sm__locate_pids();                           // signals were first used since the last look
    if (!engine->has_runtime || (engine->synch_pipe >= 0 && (engine->signal_pipe < 0 || engine->system_pid)))
        return 1;
    sm_text text = { run->result->why, sizeof run->result->why, 0 };
    sm__text(&text, engine->synch_pipe < 0 ? "the pipe of the runtime's thread '.NET SynchManag' was not found"
                                           : "the process id that libSystem.Native sends signals to was not found");
    return 0;
}

// How long to look for a quiet moment. A process that is busy all the time, as a server under load is, never has one: each try stops it again, and between two of
// them the forker, which has to wait for a processor like everybody else, may lose ten milliseconds. So after one search in vain there is no other until the first look
// of a fork finds such a moment by itself. A canary always looks.
static uint64_t quiet_time(const sm_fork_options *options)
{
    return waited_in_vain && !(options->flags & SM_FORK_CANARY) ? 0 : options->quiet_us * 1000;
}

// Parks all threads at a moment at which forking is sound; brief retries first. 0 = parked, or -errno with nobody parked.
int sm__capture(sm_run *run, uint64_t start)
{
    const sm_fork_options *options = run->options;
    uint64_t deadline = start + options->deadline_us * 1000, quiet_until = start + quiet_time(options), pause = first_pause_ns;
    if (deadline < start + least_deadline_ns)
        deadline = start + least_deadline_ns;
    run->patience = start + (deadline - start) / 2;
    run->lock_patience = run->patience < start + lock_patience_ns ? run->patience : start + lock_patience_ns;
    for (;; pause = pause * 2 > longest_pause_ns ? longest_pause_ns : pause * 2) {
        run->result->tries++;
        uint64_t parked = sm__now();
        // A last try that begins right before the deadline has time too: else whoever had not stopped within its first milliseconds was blamed for all tries.
        int result = sm__park_all(run, deadline > parked + parking_limit_ns ? deadline : parked + parking_limit_ns), moment = SM_MOMENT_BAD;
        if (result < 0) {
            sm__blame_unparked(run->result, result);
            sm__release();
            return result == -ETIMEDOUT ? -EBUSY : result;
        }
        result = sm__learn_tid_offset(run);
        if (result == 0) {
            sm__read_managed();
            sm__classify(run->process);
            sm__learn_pipes();
            moment = knows_what_to_replace(run) ? sm__judge(run) : SM_MOMENT_BAD;
            if (options->flags & SM_FORK_ONLY_SAFE && !sm__are_all_safe(run)) {
                sm__release();
                return SM_FORK_LOOK_FIRST;
            }
        }
        uint64_t now = sm__now();
        if (result == 0 && (moment == SM_MOMENT_QUIET || (moment == SM_MOMENT_BUSY && now >= quiet_until && !(options->flags & SM_FORK_STRICT)))) {
            run->quiet = moment == SM_MOMENT_QUIET;
            run->rests = options->flags & (SM_FORK_HOLD | SM_FORK_DORMANT) && sm__note_places();
            waited_in_vain = !run->quiet;
            run->result->parked_ns = parked;          // for now the time stamp; release_parent makes it a duration
            return 0;
        }
        sm__release();
        if (result < 0)
            return result;
        if (now >= deadline)
            return -EBUSY;
        sm__pause(pause);
    }
}

// Waits until the child has reached a stage; a child that dies on the way is noticed by its pidfd.
static int await_child(const sm_run *run, int pidfd, int stage)
{
    for (int seen; (seen = atomic_load(&run->shared->stage)) < stage;) {
        struct timespec slice = { 0, 2000000 };
        if (syscall(SYS_futex, &run->shared->stage, FUTEX_WAIT, seen, &slice, NULL, 0) == 0 || errno != ETIMEDOUT)
            continue;
        struct pollfd poll = { .fd = pidfd, .events = POLLIN };
        struct timespec none = { 0, 0 };
        if (syscall(SYS_ppoll, &poll, 1, &none, NULL, 0) == 1 && atomic_load(&run->shared->stage) < stage)
            return -ECHILD;
    }
    return atomic_load(&run->shared->stage) == SM_STAGE_FAILED ? -run->shared->error : 0;
}

static void bury(sm_run *run, int pid, int pidfd, int error)
{
    sm_text text = { run->result->why, sizeof run->result->why, 0 };
    sm__text(&text, error == -ECHILD ? "the forked child died before its threads were back"
                                     : "the forked child could not be made whole (errno ");
    if (error != -ECHILD) {
        sm__number(&text, -error);
        sm__text(&text, ")");
    }
    if (!(run->options->flags & SM_FORK_CLONE_PARENT))
        for (siginfo_t info; syscall(SYS_waitid, P_PID, pid, &info, WEXITED | __WALL, NULL) != 0 && errno == EINTR;) {}
    close(pidfd);
}

static int in_parent(sm_run *run, int pid, int pidfd)
{
    sm_fork_result *result = run->result;
    if (run->has_code_memory && run->has_owners)
        sm__find_owners(run);                        // while the child copies code memory
    int failed = awaits_child(run) ? await_child(run, pidfd, run->until) : 0;
    result->parked_ns = sm__now() - result->parked_ns;
    sm__hold_or_release(run);
    if (failed == 0 && !(run->options->flags & SM_FORK_NO_WAIT))
        failed = await_child(run, pidfd, SM_STAGE_READY);
    if (failed != 0) {
        bury(run, pid, pidfd, failed);
        return failed;
    }
    result->pid = pid;
    result->pidfd = pidfd < 0 ? -1 : pidfd;
    result->revived = run->shared->revived;
    result->frozen = run->shared->frozen;
    result->owners = run->shared->owners;
    result->child_ns = run->shared->child_ns;
    if (run->has_owners)
        sm__note_ownerless(run);
    // The child still has to say that it is ready. The next fork must not hear it: it would let its own parent go on too early, or bury a
    // healthy child for the failure of this one.
    if (run->options->flags & SM_FORK_NO_WAIT)
        drop_handshake();
    return pid;
}

static int in_child(sm_run *run)
{
    is_forked = 1;
    sm__child(run);
    run->result->pid = 0;
    run->result->pidfd = -1;
    drop_handshake();                               // the parent's next fork uses that page
    sm__release_all();
    return 0;
}

static int clone_process(sm_run *run)
{
    int pidfd = -1, *tid = (int *)(run->caller_pointer + sm__engine.tid_offset), error;
    sm_text text = { run->result->why, sizeof run->result->why, 0 };
    int32_t *birth = run->options->birth;
    unsigned long flags = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | (birth ? CLONE_PARENT_SETTID : CLONE_PIDFD);   // clone(2) has one place for both
    if (run->options->flags & SM_FORK_CLONE_PARENT)
        flags |= CLONE_PARENT;
    run->result->quiet = run->quiet;
    // Here, where its name in /proc is known already: a child's would have to be made, and taken apart when it is reaped.
    run->descriptors = sm__count_descriptors();
    run->has_owners = !run->quiet || !(run->options->flags & SM_FORK_NO_LOCKS || sm__own_nothing(run));
    run->result->searched = (uint32_t)run->has_owners;
    // Nobody misses threads that wait anyway; released in the midst of the child's way, they take the processor from it. Not where the child has many to revive: something may happen meanwhile.
    enum { FEW = 16 };
    run->until = run->quiet && !run->has_owners && !(run->options->flags & SM_FORK_NO_WAIT) && sm__count_living() <= FEW ? SM_STAGE_READY : SM_STAGE_COPIED;
    if (run->has_code_memory && (error = run->has_owners ? sm__read_ranges() : sm__read_shared_ranges()) < 0) {
        sm__release_all();
        sm__text(&text, "the mappings of this process could not be read");
        return error;
    }
    if (run->has_code_memory && (run->options->flags & (SM_FORK_OWN_DATA | SM_FORK_CANARY)) == SM_FORK_OWN_DATA)
        sm__make_code_data_private();
    uint64_t start = sm__now();
    long pid = syscall(SYS_clone, flags, NULL, birth ? birth : &pidfd, tid, NULL);
    if (pid == 0)
        return in_child(run);
    if (pid > 0 && birth)
        pidfd = sm_process_open((int32_t)pid);   // who is to reap it hears of it from here at the earliest: nobody else has that id
    run->result->fork_ns = sm__now() - start;
    if (pid > 0)
        return in_parent(run, (int)pid, pidfd);
    error = -errno;
    sm__release_all();
    sm__text(&text, "clone(2) failed");
    return error;
}

// Parks everybody and forks, with a handler for the capture signal that is there only meanwhile.
static int capture_and_clone(sm_run *run)
{
    struct sigaction saved_action;
    uint64_t start = sm__now();
    int outcome = sm__arm_capture(run, &saved_action);
    if (outcome < 0)
        return outcome;
    outcome = sm__capture(run, start);
    run->result->capture_ns = sm__now() - start;
    if (outcome == 0) {
        sm__clean(run);
        outcome = clone_process(run);
    }
    sm__disarm(run->signal, &saved_action);
    return outcome;
}

int32_t sm_fork(const sm_fork_options *options, sm_fork_result *result)
{
    sm_run run;
    if (options->size != sizeof *options || result->size != sizeof *result)
        return -EINVAL;
    int outcome = sm__begin(&run, options, result);
    if (outcome < 0)
        return outcome;
    if ((outcome = make_handshake(&run)) < 0) {
        sm__give_turn();
        return outcome;
    }
    if (sm__engine.has_runtime)
        sm__locate_pids();                           // libSystem.Native's appears with the first use of signals
    // Who does not wait for its child never hears what that has found.
    run.may_rest = sm__engine.has_runtime && !(options->flags & (SM_FORK_NO_LOCKS | SM_FORK_SEARCH | SM_FORK_NO_WAIT)) && !sm__has_foreign_libraries();
    run.frame = __builtin_frame_address(0);
    syscall(SYS_get_robust_list, 0, &run.robust, &run.robust_size);
    sm__mask_all(&run.mask);
    if (sm__still_holds_all(&run))
        outcome = clone_process(&run);
    else
        outcome = capture_and_clone(&run);
    sm__give_turn();
    sm__mask_restore(&run.mask);
    return outcome;
}
