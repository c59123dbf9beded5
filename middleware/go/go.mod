module asofcontext

go 1.19
