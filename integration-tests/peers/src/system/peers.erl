%% The scenarios of the comparison, in Erlang. `peers:main([Row, N])` prints one
%% figure: nanoseconds for each of N, or bytes. An ask is what gen_server:call
%% does without the time-out: a monitor, a message, an answer.
-module(peers).
-export([main/1]).

main([Row, Text]) ->
    Figure = row(list_to_atom(Row), list_to_integer(Text)),
    io:format("~.3f~n", [float(Figure)]),
    halt(0).

row(tell_1_1, N) -> tell(1, 256, N);
row(tell_1_1_burst, N) -> tell(1, infinity, N);
row(tell_4_1, N) -> tell(4, infinity, N);
row(tell_8_1, N) -> tell(8, infinity, N);
row(tell_8_1_yield, N) -> tell(8, 64, N);
row(fanout_1000, N) ->
    All = start_all(1000),
    Rounds = max(1, N div 1000),
    Start = now_ns(),
    join(spawn_monitor(fun() -> fanout(All, Rounds, 0) end)),
    per(Start, Rounds * 1000);
row(ask_seq, N) ->
    To = start(),
    Start = now_ns(),
    join(spawn_monitor(fun() -> ask_times(To, N) end)),
    per(Start, N);
row(ask_actor, N) ->
    A = start(), B = start(),
    A ! {next, B},
    Start = now_ns(),
    call(A, {relay, N}),
    per(Start, N);
row(ask_64, N) ->
    To = start(),
    Each = max(1, N div 64),
    Start = now_ns(),
    Callers = [spawn_monitor(fun() -> ask_times(To, Each) end) || _ <- lists:seq(1, 64)],
    lists:foreach(fun join/1, Callers),
    per(Start, Each * 64);
row(ping_pong, N) -> ring(2, N);
row(ring_1000, N) -> ring(1000, N);
row(spawn_cold, N) ->
    Start = now_ns(),
    start_all(N),
    per(Start, N);
row(spawn_warm, N) ->
    All = start_all(N),
    lists:foreach(fun ask/1, All),
    lists:foreach(fun(P) -> M = monitor(process, P), P ! stop, join({P, M}) end, All),
    row(spawn_cold, N);
row(spawn_ask, N) ->
    Start = now_ns(),
    lists:foreach(fun(_) -> ask(start()) end, lists:seq(1, N)),
    per(Start, N);
row(first_message, N) ->
    All = start_all(N),
    timer:sleep(30),
    Start = now_ns(),
    lists:foreach(fun ask/1, All),
    per(Start, N);
row(idle_heap_bytes, N) -> bytes(N, fun(_) -> ok end);
row(used_heap_bytes, N) -> bytes(N, fun ask/1).

bytes(N, Use) ->
    erlang:garbage_collect(),
    Before = erlang:memory(processes),
    All = start_all(N),
    lists:foreach(Use, All),
    timer:sleep(30),
    %% The list of addresses is ours: two words for each.
    Bytes = (erlang:memory(processes) - Before) / N - 16,
    lists:foreach(fun(P) -> P ! stop end, All),
    Bytes.

tell(Senders, Pause, N) ->
    To = start(),
    Each = N div Senders,
    Start = now_ns(),
    Tasks = [spawn_monitor(fun() -> produce(To, Each, Pause, Pause), ask(To) end) || _ <- lists:seq(1, Senders)],
    lists:foreach(fun join/1, Tasks),
    Figure = per(Start, Each * Senders),
    Handled = Each * Senders + Senders + 1,
    Handled = ask(To),
    Figure.

produce(_, 0, _, _) -> ok;
produce(To, N, Pause, 0) -> erlang:yield(), produce(To, N, Pause, Pause);
produce(To, N, infinity, _) -> To ! {add, N}, produce(To, N - 1, infinity, infinity);
produce(To, N, Pause, Left) -> To ! {add, N}, produce(To, N - 1, Pause, Left - 1).

fanout(All, Rounds, Rounds) ->
    lists:foreach(fun(P) -> Rounds = ask(P) - 1 end, All);
fanout(All, Rounds, Done) ->
    lists:foreach(fun(P) -> P ! {add, Done} end, All),
    fanout(All, Rounds, Done + 1).

ring(Actors, N) ->
    All = [First | Rest] = start_all(Actors),
    lists:foreach(fun({P, Next}) -> P ! {next, Next} end, lists:zip(All, Rest ++ [First])),
    lists:foreach(fun ask/1, All),
    Self = self(),
    Start = now_ns(),
    First ! {token, N, Self},
    receive finished -> ok end,
    per(Start, N).

ask_times(_, 0) -> ok;
ask_times(To, N) -> ask(To), ask_times(To, N - 1).

ask(To) -> call(To, get).

call(To, What) ->
    Monitor = monitor(process, To),
    To ! {What, {self(), Monitor}},
    receive
        {Monitor, Answer} -> demonitor(Monitor, [flush]), Answer;
        {'DOWN', Monitor, _, _, Why} -> exit(Why)
    end.

start_all(N) -> [start() || _ <- lists:seq(1, N)].

%% A count, a sum, a neighbour, and eight words that nobody reads.
start() -> spawn(fun() -> serve(0, 0, none, {1, 1, 1, 1, 1, 1, 1, 1}) end).

serve(Count, Sum, Next, Rest) ->
    receive
        {add, Value} -> serve(Count + 1, Sum + Value, Next, Rest);
        {get, {From, Ref}} -> From ! {Ref, Count + 1}, serve(Count + 1, Sum, Next, Rest);
        {token, 0, Done} -> Done ! finished, serve(Count, Sum, Next, Rest);
        {token, Left, Done} -> Next ! {token, Left - 1, Done}, serve(Count, Sum, Next, Rest);
        {next, New} -> serve(Count, Sum, New, Rest);
        {{relay, N}, {From, Ref}} -> ask_times(Next, N), From ! {Ref, N}, serve(Count, Sum, Next, Rest);
        stop -> ok
    end.

join({Pid, Monitor}) ->
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end.

now_ns() -> erlang:monotonic_time(nanosecond).

per(Start, N) -> (now_ns() - Start) / N.
