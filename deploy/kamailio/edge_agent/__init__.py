"""The agent beside Kamailio: lists of live calls, files, commands; what a SIP script is the wrong place for.

Decision 0011 says what is here and why. It needs httpx, starlette and uvicorn, and nothing else of Landline.
"""
