namespace StartMethods.Channels;

/// <summary>Takes what a child writes to one of its standard streams, instead of a descriptor of this process. Never waits, but in <see cref="WaitForRoom"/>.</summary>
internal interface IOutputTaker
{
    /// <summary>Whether more may come; else the child waits, as it would for a slow terminal, and this is asked again soon.</summary>
    bool HasRoom { get; }

    /// <summary>Tells whose output follows.</summary>
    void Begin(int processId);

    /// <summary>For a thread that reads nothing else: returns when there is room.</summary>
    void WaitForRoom();

    /// <summary>Takes the next bytes, also where there is no room.</summary>
    void Take(ReadOnlySpan<byte> bytes);

    /// <summary>The child has ended and all of its own output was taken: what is a piece stays one. Something that it has left behind may still write.</summary>
    void Flush();

    /// <summary>Nothing will ever come again.</summary>
    void End();
}
