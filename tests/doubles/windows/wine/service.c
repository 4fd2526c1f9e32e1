/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A service that does nothing until it is stopped, with the vendor's words to install and to remove it:
 *   install -InstanceName NAME -ManagerConfig PATH | uninstall -InstanceName NAME | wait
 * "wait" keeps wine's service control manager alive. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static SERVICE_STATUS_HANDLE handle;
static HANDLE over;

static void report(DWORD state)
{
    SERVICE_STATUS status = {SERVICE_WIN32_OWN_PROCESS, state, 0, 0, 0, 0, 0};
    if (state == SERVICE_RUNNING)
        status.dwControlsAccepted = SERVICE_ACCEPT_STOP;
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    (void)type, (void)data, (void)context;
    if (code != SERVICE_CONTROL_STOP)
        return code == SERVICE_CONTROL_INTERROGATE ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
    report(SERVICE_STOP_PENDING);
    SetEvent(over);
    return NO_ERROR;
}

static void WINAPI run(DWORD count, char **names)
{
    (void)count;
    handle = RegisterServiceCtrlHandlerExA(names[0], control, NULL);
    report(SERVICE_START_PENDING);
    Sleep(300);
    report(SERVICE_RUNNING);
    WaitForSingleObject(over, INFINITE);
    Sleep(300);
    report(SERVICE_STOPPED);
}

static int install(SC_HANDLE manager, const char *name, const char *config)
{
    char program[MAX_PATH], image[3 * MAX_PATH];
    GetModuleFileNameA(NULL, program, sizeof program);
    snprintf(image, sizeof image, "\"%s\" -InstanceName %s -ManagerConfig \"%s\"", program, name, config);
    return !CreateServiceA(manager, name, name, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                           SERVICE_ERROR_NORMAL, image, NULL, NULL, NULL, "NT AUTHORITY\\LocalService", NULL);
}

int main(int count, char **words)
{
    SERVICE_TABLE_ENTRYA table[] = {{"", run}, {NULL, NULL}};
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (count == 6 && !strcmp(words[1], "install"))
        return install(manager, words[3], words[5]);
    if (count == 4 && !strcmp(words[1], "uninstall"))
        return !DeleteService(OpenServiceA(manager, words[3], DELETE));
    if (count == 2 && !strcmp(words[1], "wait"))
        Sleep(INFINITE);
    over = CreateEventA(NULL, TRUE, FALSE, NULL);
    return !StartServiceCtrlDispatcherA(table);
}
