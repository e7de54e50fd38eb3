%% The scenarios of the comparison between two processes, in Erlang's own distribution.
%% `remote:far([])` is the far node; `remote:near([What, Bytes, Tasks, Millis])` prints
%% figures: thousand messages a second, megabytes a second where messages have 64 KiB, or
%% microseconds, the median and the 99th percentile. A question is what gen_server:call does
%% without the time-out: a monitor, a message, an answer.
-module(remote).
-export([far/0, far/1, near/1, start/1]).

-define(BULK, 65536).

far() -> far([]).
far(_) -> receive never -> ok end.

near([What, Bytes, Tasks, Millis]) ->
    [Size, Count, Time] = [list_to_integer(Text) || Text <- [Bytes, Tasks, Millis]],
    wait_for_far(500),
    To = spawn('far@localhost', ?MODULE, start, [Size]),
    Figures = run(list_to_atom(What), To, Size, Count, Time),
    io:format("~s~n", [lists:join(" ", [io_lib:format("~.3f", [float(F)]) || F <- Figures])]),
    halt(0).

wait_for_far(0) -> halt(1);
wait_for_far(Left) ->
    case net_kernel:connect_node('far@localhost') of
        true -> ok;
        _ -> timer:sleep(10), wait_for_far(Left - 1)
    end.

run(tell, To, Size, Senders, Time) ->
    Warm = send(To, Size, [0 || _ <- lists:seq(1, Senders)], Time div 4),
    check(To, Warm),
    Start = now_ns(),
    Sent = send(To, Size, Warm, Time),
    check(To, Sent),
    Rate = (lists:sum(Sent) - lists:sum(Warm)) / ((now_ns() - Start) / 1.0e9),
    [case Size of ?BULK -> Rate * ?BULK / 1.0e6; _ -> Rate / 1.0e3 end];
run(ask, To, _, _, Time) ->
    ask_until(To, now_ns() + Time * 250000, 0, []),
    Times = lists:sort(ask_until(To, now_ns() + Time * 1000000, 0, [])),
    Length = length(Times),
    [lists:nth(max(1, ceil(Length * Part)), Times) / 1.0e3 || Part <- [0.5, 0.99]];
run(ask_many, To, _, Tasks, Time) ->
    ask_at_once(To, Tasks, now_ns() + Time * 250000),
    Start = now_ns(),
    Asked = ask_at_once(To, Tasks, Start + Time * 1000000),
    [Asked / 1.0e3 / ((now_ns() - Start) / 1.0e9)].

%% Each sender goes on from its number; the next numbers.
send(To, Size, From, Time) ->
    Until = now_ns() + Time * 1000000,
    Every = if Size < 4096 -> 64; true -> 1 end,
    Fill = binary:copy(<<16#5a>>, Size - 24),
    Self = self(),
    Senders = [spawn_link(fun() ->
        Self ! {self(), send_until(To, Sender, Number, Fill, Every, Until)}
    end) || {Sender, Number} <- lists:enumerate(0, From)],
    [receive {Pid, Next} -> Next end || Pid <- Senders].

send_until(To, Sender, Number, Fill, Every, Until) ->
    case Number rem Every =:= 0 andalso now_ns() >= Until of
        true -> Number;
        false ->
            To ! {tell, <<Number:64/little, Sender:64/little, Fill/binary, (seal(Number, Sender)):64/little>>},
            send_until(To, Sender, Number + 1, Fill, Every, Until)
    end.

%% The receiver has had all of it, each once, in its turn and as it was.
check(To, Sent) ->
    Expected = {lists:sum(Sent), 0},
    Expected = call(To, tally).

ask_until(To, Until, Number, Times) ->
    Before = now_ns(),
    case Before >= Until of
        true -> Times;
        false ->
            ask(To, Number),
            ask_until(To, Until, Number + 1, [now_ns() - Before | Times])
    end.

ask_at_once(To, Tasks, Until) ->
    Self = self(),
    Askers = [spawn_link(fun() -> Self ! {self(), length(ask_until(To, Until, 0, []))} end) || _ <- lists:seq(1, Tasks)],
    lists:sum([receive {Pid, Asked} -> Asked end || Pid <- Askers]).

ask(To, Number) ->
    Question = <<Number:64/little, 0:(56 * 8)>>,
    Next = Number + 1,
    <<Next:64/little, _:56/binary>> = call(To, {ask, Question}).

call(To, What) ->
    Monitor = monitor(process, To),
    To ! {What, {self(), Monitor}},
    receive
        {Monitor, Answer} -> demonitor(Monitor, [flush]), Answer;
        {'DOWN', Monitor, _, _, Why} -> exit(Why)
    end.

start(Size) -> serve(Size, 0, 0, #{}).

serve(Size, Count, Wrong, Next) ->
    receive
        {tell, Bytes} ->
            Last = Size - 24,
            {Sender, After, Bad} = case Bytes of
                <<Number:64/little, From:64/little, _:Last/binary, Check:64/little>> ->
                    IsGood = Number =:= maps:get(From, Next, 0) andalso Check =:= seal(Number, From) band 16#ffffffffffffffff,
                    {From, Number + 1, if IsGood -> 0; true -> 1 end};
                _ -> {none, 0, 1}
            end,
            serve(Size, Count + 1, Wrong + Bad, Next#{Sender => After});
        {{ask, <<Number:64/little, Rest/binary>>}, {From, Tag}} ->
            From ! {Tag, <<(Number + 1):64/little, Rest/binary>>},
            serve(Size, Count, Wrong, Next);
        {tally, {From, Tag}} ->
            From ! {Tag, {Count, Wrong}},
            serve(Size, Count, Wrong, Next)
    end.

seal(Number, Sender) -> bnot (Number bxor (Sender bsl 48)).

now_ns() -> erlang:monotonic_time(nanosecond).
