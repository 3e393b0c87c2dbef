# Signals, limits, and ends of all kinds. Job control (set -m), since a background job without
# it starts with SIGINT ignored.
set -m

cat >server.sh <<'END'
trap 'echo drained by INT; exit 5' INT
trap 'echo drained by TERM; exit 6' TERM
trap 'echo drained by HUP; exit 7' HUP
trap 'echo usr1' USR1
echo ready
while :; do sleep 0.02; done
END

# COMMAND...: starts it in the background, sets pid, waits until it prints "ready".
launch() {
    : >log
    "$@" >log 2>&1 &
    pid=$!
    await log ready
}

# The UML processes of this test.
guests() {
    local environ
    for environ in $(grep -slF -- "$scratch/tmp" /proc/[0-9]*/environ); do
        [[ $(readlink "${environ%/environ}/exe") == */linux.uml ]] && echo "${environ//[!0-9]/}"
    done
}

code=5
for signal in INT TERM HUP; do
    launch "$run" bash server.sh
    kill -$signal "$pid"
    wait "$pid"
    same "SIG$signal reaches the command" "$code ready drained by $signal" "$? $(xargs <log)"
    code=$((code + 1))
done

launch "$run" bash server.sh
kill -USR1 "$pid"
await log usr1
kill -TERM "$pid"
wait "$pid"
same "SIGUSR1 reaches the command" "6" "$?"

launch timeout -s INT $started "$run" bash server.sh
wait "$pid"
same "timeout(1), which signals twice" "124 ready drained by INT" "$? $(xargs <log)"

launch "$run" bash -c 'trap "echo no" INT; echo ready; while :; do sleep 0.1; done'
kill -INT "$pid"
await log no
sleep 0.4
start=$(milliseconds)
kill -INT "$pid"
wait "$pid"
same "the second SIGINT kills" "130 1" "$? $(($(milliseconds) - start < 1000))"
nothing_left "the second SIGINT"

SCTP_KERNEL_GRACE=0.5 launch "$run" bash -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
kill -TERM "$pid"
wait "$pid"
same "a command that ignores SIGTERM" "137" "$?"
like "is reported" "*did not end within 0.5 s*" "$(cat log)"

(trap '' INT; exec "$run" bash -c 'echo ready; sleep 1; echo survived') >log 2>&1 &
pid=$!
await log ready
kill -INT "$pid"
SCTP_KERNEL_GRACE=0.1 wait "$pid"
same "SIGINT that was ignored from the start" "0 ready survived" "$? $(xargs <log)"

start=$(milliseconds)
SCTP_KERNEL_TIMEOUT=0.6 "$run" sleep 30 2>err
same "time limit" "124 1" "$? $(($(milliseconds) - start < 3000))"
like "time limit is explained" "*SCTP_KERNEL_TIMEOUT*" "$(cat err)"
same "time limit, drained" "124 ready drained by TERM" "$(SCTP_KERNEL_TIMEOUT=$started "$run" bash server.sh >log 2>/dev/null; echo "$? $(xargs <log)")"
SCTP_KERNEL_TIMEOUT=soon "$run" true 2>err
same "time limit that is not a number" "125" "$?"
nothing_left "time limit"

launch "$run" sh -c 'echo ready; sleep 30'
# shellcheck disable=SC2046
kill -KILL $(guests | head -n 1)
wait "$pid"
same "the guest's kernel is killed" "125" "$?"
like "and reported" "*the guest died: signal 9*" "$(cat log)"
nothing_left "the guest's kernel is killed"

"$run" sh -c 'echo c >/proc/sysrq-trigger; sleep 5' 2>err
same "the guest's kernel panics" "125" "$?"
like "its message is shown" "*Kernel panic*" "$(cat err)"
nothing_left "the guest's kernel panics"

launch "$run" sh -c 'echo ready; sleep 30'
disown "$pid" # lest bash reports its end
kill -KILL "$pid"
nothing_left "the supervisor is killed"

launch "$run" sh -c 'echo ready; sleep 30'
for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
    kill -KILL "$child"
done
if [[ -n ${child:-} ]]; then
    wait "$pid"
    same "the reaper is killed" "125" "$?"
    nothing_left "the reaper is killed"
else
    kill -KILL "$pid"
    skip "the reaper is killed" "/proc does not tell children"
fi

launch bash -c '"$1" sh -c "echo ready; sleep 30"; true' bash "$run"
disown "$pid" # lest bash reports its end
kill -KILL "$pid"
nothing_left "the parent is killed"

(nohup "$run" sh -c 'sleep 0.4; echo alive' >nohup.log 2>&1 &)
await nohup.log alive && pass "nohup outlives its parent"
nothing_left "nohup"
set +m
