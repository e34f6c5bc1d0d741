namespace StartMethods.Tests;

[Parallelizable(ParallelScope.All)]
public class DepthTests
{
    private sealed class Node
    {
        public int Value;
        public Node? Next;
    }

    [Test]
    public void A_linked_list_of_100_000_nodes_travels()
    {
        Node? head = null;
        for (int i = 0; i < 100_000; i++)
            head = new Node { Value = i, Next = head };
        int count = 0;
        for (Node? node = Carry.Argument(head); node is not null; node = node.Next)
            Assert.That(node.Value, Is.EqualTo(99_999 - count++));
        Assert.That(count, Is.EqualTo(100_000));
        Assert.That(Carry.Result(head)!.Value, Is.EqualTo(99_999));
    }

    [Test]
    public void Nesting_that_must_be_whole_is_refused_clearly_when_too_deep()
    {
        object value = 1;
        for (int i = 0; i < 100_000; i++)
            value = new object[] { value };
        Assert.That(Carry.Refused(value).Message, Does.Contain("nested more than"));
        value = 1;
        for (int i = 0; i < 10_000; i++)
            value = new List<object> { value };
        Assert.That(Carry.Argument(value), Is.InstanceOf<List<object>>(), "lists are put off, so that depth costs no stack");
    }
}
