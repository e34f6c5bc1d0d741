using StartMethods.Channels;
using StartMethods.Interop;
using StartMethods.Pools;

namespace StartMethods.Tests.Pools;

/// <summary>Ring and channel may overtake each other: each frame of handles is taken once or closed, and never both.</summary>
public class HandleInboxTests
{
    private readonly HandleInbox _inbox = new();

    private static Frame Handles(long id) =>
        new(FrameMessage.Handles, 0, FrameMessage.Head(id, 0, false, default), [], [new FileDescriptor(NativeError.ThrowIfFailed(Native.OpenNull(), "open"))]);

    private static Frame Drop(long id) => new(FrameMessage.Drop, 0, FrameMessage.Head(id, 0, false, default), [], []);

    [Test]
    public void Handles_that_came_are_taken_by_their_task()
    {
        using Frame one = Handles(1), two = Handles(2);
        Assert.That(_inbox.Receive(one) && _inbox.Receive(two), Is.True);
        Assert.That(_inbox.Take(2), Is.SameAs(two.Descriptors));
        Assert.That(_inbox.Take(1), Is.SameAs(one.Descriptors));
        Assert.That(one.Descriptors[0].IsClosed || two.Descriptors[0].IsClosed, Is.False);
    }

    [Test]
    public async Task A_task_waits_for_handles_that_the_ring_has_overtaken()
    {
        using Frame frame = Handles(7);
        Task<FileDescriptor[]> taken = Task.Factory.StartNew(() => _inbox.Take(7), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.That(taken.IsCompleted, Is.False);
        _inbox.Receive(frame);
        Assert.That(await taken, Is.SameAs(frame.Descriptors));
    }

    [Test]
    public void Handles_of_a_task_that_was_taken_back_are_closed()
    {
        using Frame frame = Handles(1), drop = Drop(1), again = Handles(1);
        Assert.That(_inbox.Receive(frame) && _inbox.Receive(drop), Is.True);
        Assert.That(frame.Descriptors[0].IsClosed, Is.True);
        _inbox.Receive(again);
        Assert.That(_inbox.Take(1), Is.SameAs(again.Descriptors), "it was sent here again");
    }

    [Test]
    public void A_task_that_began_with_the_handles_of_its_first_record_leaves_none_of_the_second()
    {
        using Frame first = Handles(1), drop = Drop(1), second = Handles(1), third = Handles(1);
        _inbox.Receive(first);
        Assert.That(_inbox.Take(1), Is.SameAs(first.Descriptors)); // of the second record: the ring was ahead
        _inbox.Receive(drop);
        _inbox.Receive(second);
        Assert.That((first.Descriptors[0].IsClosed, second.Descriptors[0].IsClosed), Is.EqualTo((false, true)));
        _inbox.Receive(third);
        Assert.That(third.Descriptors[0].IsClosed, Is.False, "the account is even");
    }

    [Test]
    public void Other_frames_are_not_taken()
    {
        using var frame = new Frame(FrameMessage.Ask, 0, FrameMessage.Head(1, 0, false, default), [], []);
        Assert.That(_inbox.Receive(frame), Is.False);
    }
}
