# Standard streams, arguments, environment, exit status.

out=$("$run" sh -c 'echo out; echo err >&2' 2>err)
same "stdout" "out" "$out"
same "stderr" "err" "$(cat err)"

for code in 0 1 77 255; do
    "$run" sh -c "exit $code"
    same "exit status $code" "$code" "$?"
done
"$run" sh -c 'kill -KILL $$'
same "killed by SIGKILL" 137 "$?"
"$run" sh -c 'kill -SEGV $$'
same "killed by SIGSEGV" 139 "$?"
"$run" no-such-command 2>err
same "no such command" "127 .kernel/run: no-such-command: No such file or directory" "$? $(cat err)"
"$run" /etc/passwd 2>err
same "not executable" 126 "$?"
"$run" 2>err
same "no command" 125 "$?"

head -c 20000000 /dev/urandom >input
sum=$(sha256sum <input)
same "20 MB of stdin from a file" "$sum" "$("$run" sha256sum <input)"
same "20 MB of stdin from a pipe" "$sum" "$(cat input | "$run" sha256sum)"
same "20 MB of stdout" "$sum" "$("$run" cat "$PWD/input" | sha256sum)"
same "20 MB of stderr" "$sum" "$("$run" sh -c 'cat input >&2' 2>&1 >/dev/null | sha256sum)"
same "20 MB there and back" "$sum" "$("$run" cat <input | sha256sum)"
same "stdout of two processes" 4000000 "$("$run" sh -c 'head -c 2000000 /dev/zero & head -c 2000000 /dev/zero; wait' | wc -c)"
same "a slow reader" 3000000 "$("$run" head -c 3000000 /dev/zero | (sleep 0.5; wc -c))"

same "stdin at its end" "0" "$("$run" wc -c </dev/null)"
same "stdin closed" "0" "$("$run" wc -c <&-)"
same "stdin of one byte" "1" "$(printf x | "$run" wc -c)"
same "the end of stdin while it runs" "ab" "$( (printf a; sleep 0.4; printf b) | "$run" cat)"
start=$(milliseconds)
yes | "$run" true
same "stdin that is not read" "0 1" "${PIPESTATUS[1]} $(($(milliseconds) - start < 3000))"
same "stdin that is read in part" "y" "$(yes | "$run" head -n 1)"
same "stdout that is read in part" "y" "$("$run" yes | head -n 1)"
same "SIGPIPE from a reader that left" "141" "$("$run" sh -c 'yes; echo $? >&2' 2>&1 >/dev/full | tail -n 1)"

# Both directions, while the command runs.
coproc "$run" sh -c 'echo ready; read -r line; echo "got $line"; read -r line; exit 3'
pid=$!
read -r -t 10 first <&"${COPROC[0]}"
echo question >&"${COPROC[1]}"
read -r -t 10 second <&"${COPROC[0]}"
exec {COPROC[1]}>&-
wait "$pid"
same "live streams" "ready, got question, 3" "$first, $second, $?"

mkdir -p "a b/c'd"
same "current directory" "$scratch/a b/c'd" "$(cd "a b/c'd" && "$run" pwd)"
# shellcheck disable=SC2016
same "arguments" $'[] [ ] [a\nb] ["] [\'] [$HOME] [\\] [*] [ä]' \
    "$("$run" sh -c 'for a; do printf "[%s] " "$a"; done' sh '' ' ' $'a\nb' '"' "'" '$HOME' '\' '*' 'ä' | sed 's/ $//')"
value=$'one\n two  three \n'
same "environment" "$value." "$(X=$value "$run" sh -c 'printf %s. "$X"')"
env -i A=1 PATH="$PATH" TMPDIR="$TMPDIR" "$run" env | sort >guest-env
# The lane adds only the kind of guest.
same "environment, no more and no less" "A=1 SCTP_KERNEL_GUEST=uml" "$(grep -v -E '^(PATH|TMPDIR|_|PWD|SHLVL|OLDPWD)=' guest-env | tr '\n' ' ' | sed 's/ $//')"
same "umask" "0027" "$(umask 0027; "$run" sh -c umask)"
same "an ignored signal stays ignored" "alive" "$(trap '' USR1; "$run" sh -c 'kill -USR1 $$; echo alive')"
same "background processes end with the command" "0 1" "$(start=$(milliseconds); "$run" sh -c 'sleep 30 & exit 0'; echo "$? $(($(milliseconds) - start < 3000))")"
nothing_left "streams"
rm -f input
