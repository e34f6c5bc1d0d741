namespace StartMethods.Channels;

/// <summary>The other side of a channel sent what it may not send; the channel is of no use any more.</summary>
internal sealed class ProtocolException(string message) : StartMethodException(message);
