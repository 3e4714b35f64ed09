# Completion of cec in fish. Once: cec completion fish > ~/.config/fish/completions/cec.fish
function __cec_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct | string unescape)
    $before[1] __complete fish -- $before[2..] "$current" 2>/dev/null </dev/null
end
complete -c cec -f -a '(__cec_complete)'
