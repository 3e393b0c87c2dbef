# A terminal: see terminal.py, which makes one.
if type -P python3 >/dev/null; then
    while IFS='|' read -r verdict name detail; do
        case $verdict in
        ok) pass "$name" ;;
        *) flunk "$name" "$detail" ;;
        esac
    done < <(python3 "$here/tests/terminal.py" "$run" 2>&1)
    nothing_left "terminal"
else
    skip "terminal" "no python3"
fi
