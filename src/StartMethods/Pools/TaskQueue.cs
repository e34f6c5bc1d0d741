namespace StartMethods.Pools;

/// <summary>Tasks waiting for a worker: higher priorities first; within one priority the flows take turns, first in first out within a flow.</summary>
internal sealed class TaskQueue
{
    private readonly SortedList<int, Level> _levels = new(Comparer<int>.Create(static (a, b) => b.CompareTo(a)));

    internal int Count { get; private set; }

    internal void Enqueue(TaskEntry task) => Add(task, atFront: false);

    /// <summary>Gives back a task that a worker had but never started: it is the next of its flow.</summary>
    internal void EnqueueFirst(TaskEntry task) => Add(task, atFront: true);

    internal TaskEntry? Dequeue()
    {
        for (int i = 0; i < _levels.Count; i++)
        {
            Level level = _levels.GetValueAtIndex(i);
            if (level.Dequeue() is not { } task)
                continue;
            Count--;
            if (level.IsEmpty && _levels.Count > 1)
                _levels.RemoveAt(i); // priorities come and go; one level is kept, since it is the common case
            return task;
        }
        return null;
    }

    internal bool Remove(TaskEntry task)
    {
        if (!_levels.TryGetValue(task.Priority, out Level? level) || !level.Remove(task))
            return false;
        Count--;
        return true;
    }

    private void Add(TaskEntry task, bool atFront)
    {
        if (!_levels.TryGetValue(task.Priority, out Level? level))
            _levels.Add(task.Priority, level = new Level());
        level.Add(task, atFront);
        Count++;
    }

    private sealed class Level
    {
        private readonly Dictionary<long, FlowQueue> _flows = [];
        private readonly Queue<FlowQueue> _turns = new();
        private FlowQueue? _last; // of the flow that was used last: most callers use one

        internal bool IsEmpty => _turns.Count == 0;

        internal void Add(TaskEntry task, bool atFront)
        {
            FlowQueue? flow = _last?.Flow == task.Flow ? _last : null;
            if (flow is null && !_flows.TryGetValue(task.Flow, out flow))
                _flows.Add(task.Flow, flow = new FlowQueue(task.Flow));
            _last = flow;
            if (atFront)
                flow.Tasks.AddFirst(task);
            else
                flow.Tasks.AddLast(task);
            if (!flow.HasTurn)
                TakeTurn(flow);
        }

        internal TaskEntry? Dequeue()
        {
            while (_turns.TryDequeue(out FlowQueue? flow))
            {
                flow.HasTurn = false;
                if (flow.Tasks.Count == 0) // its last task was removed by a cancellation
                {
                    Forget(flow);
                    continue;
                }
                TaskEntry task = flow.Tasks.RemoveFirst();
                if (flow.Tasks.Count > 0)
                    TakeTurn(flow);
                else
                    Forget(flow);
                return task;
            }
            return null;
        }

        internal bool Remove(TaskEntry task) => _flows.TryGetValue(task.Flow, out FlowQueue? flow) && flow.Tasks.Remove(task);

        private void TakeTurn(FlowQueue flow)
        {
            flow.HasTurn = true;
            _turns.Enqueue(flow);
        }

        private void Forget(FlowQueue flow)
        {
            if (flow.Flow == 0)
                return; // single calls come again
            _flows.Remove(flow.Flow);
            if (ReferenceEquals(_last, flow))
                _last = null;
        }
    }

    private sealed class FlowQueue(long flow)
    {
        internal long Flow { get; } = flow;
        internal Deque<TaskEntry> Tasks { get; } = new();
        internal bool HasTurn { get; set; }
    }
}
