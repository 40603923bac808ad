
# The package bash-completion has better ways to tell which words there are; without it the words are taken as
# bash has split them, and put together again at : and =, which are no ends of words here.
__lockctl_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local line=$COMP_LINE word last i n=0
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((n > 0)) && [[ $line != [[:blank:]]* && ( $word == [=:]* || $last == *[=:] ) ]]; then
            words[n-1]+=$word
        else
            words[n++]=$word
        fi
        last=$word
        while [[ $line == [[:blank:]]* ]]; do line=${line#?}; done
        line=${line#"$word"}
    done
    ((cword = n - 1))
    cur=${words[cword]}
    prev=
    if ((cword > 0)); then prev=${words[cword-1]}; fi
}
